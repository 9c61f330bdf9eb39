import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.actions import Action, Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.actor import MlpActor, TableActor
from law_rl.report.effects import directives, loss_weight, rules, sample_weights, typical_actions, usual
from law_rl.schedule import Schedule
from law_rl.weighting import LinearTanh

FEATURES = ("own_agreement", "loss")
MIXTURE = LossWeights(terms=("ce", "cc"), usual=(0.1, 0.002), most=(1.0, 0.03))
ALL = Heads(sample_weights=SampleWeights(features=("loss",)), teacher_anchor=TeacherAnchor(), loss_weights=MIXTURE)


@given(
    weights=st.lists(st.floats(-1, 1), min_size=2, max_size=2),
    bias=st.floats(-1, 1),
    value=st.floats(-3, 3),
    place=st.integers(0, 1),
    gain=st.floats(0.5, 10),
)
def test_sample_weights_are_the_formula(
    weights: list[float], bias: float, value: float, place: int, gain: float
) -> None:
    rule = LinearTanh(features=FEATURES, weights=tuple(weights), bias=bias, gain=gain)
    (weight,) = sample_weights(rule, FEATURES[place], [value])
    formula = 1 + math.tanh(gain * (weights[place] * value + bias))
    assert weight == pytest.approx(max(2.0**-24, formula), abs=1e-12)


def schedule(actor: TableActor | MlpActor, **provenance: object) -> Schedule:
    return Schedule(
        actor=actor,
        action=TeacherAnchor(),
        observation=("progress",),
        stages=3,
        warmup=1,
        memory_decay=0.8,
        provenance=provenance,
    )


def test_a_table_shows_its_own_actions() -> None:
    table = TableActor(actions=torch.tensor([[0.0], [0.5], [0.25]]))
    assert typical_actions(schedule(table)) == [[0.5], [0.25]]


def test_a_policy_shows_what_was_recorded() -> None:
    policy = MlpActor(weights=(torch.zeros(1, 1),), biases=(torch.zeros(1),))
    assert typical_actions(schedule(policy, typical_actions=[[1.0], [0.0]])) == [[1.0], [0.0]]
    assert typical_actions(schedule(policy)) == []


def test_the_directives_of_a_run_are_those_of_its_mean_actions() -> None:
    entries = (0.5, -0.25, -0.5, 1.0, -1.0)
    rows = [dict(zip(ALL.names, entries, strict=True)) | {"stage": 2.0, "weight_clean": math.nan}]
    unknown = {"stage": 1.0} | dict.fromkeys(ALL.names, math.nan)
    directed = directives(ALL, [unknown, *rows])
    assert list(directed) == [2]
    assert directed[2].anchor == 0.25
    assert directed[2].losses == {"ce": 1.0, "cc": 0.0}
    assert rules(directed) == {2: LinearTanh(features=("loss",), weights=(0.5,), bias=-0.25, gain=4.0)}


def test_stages_of_equal_weights_have_no_rule() -> None:
    directed = directives(TeacherAnchor(), [{"stage": 1.0, "teacher anchor": 0.0}])
    assert directed[1].anchor == 0.5 and rules(directed) == {}


@pytest.mark.parametrize(
    ("action", "phrase"),
    [
        (SampleWeights(), "equal sample weights"),
        (TeacherAnchor(), "the converged teacher"),
        (MIXTURE, "the usual loss weights"),
        (
            Heads(teacher_anchor=TeacherAnchor(), loss_weights=MIXTURE),
            "the converged teacher and the usual loss weights",
        ),
        (ALL, "equal sample weights, the converged teacher and the usual loss weights"),
    ],
)
def test_what_is_usual_is_said_of_the_heads_that_there_are(action: Action, phrase: str) -> None:
    assert usual(action) == phrase


@pytest.mark.parametrize(
    ("most", "text"), [(3000.0, "0.12"), (1.0, "0.12"), (0.9, "0.123"), (0.2, "0.123"), (0.125, "0.123")]
)
def test_small_weights_have_more_decimals(most: float, text: str) -> None:
    head = LossWeights(terms=("kd",), usual=(0.1,), most=(most,))
    assert loss_weight(head, "kd", 0.1234567) == text
