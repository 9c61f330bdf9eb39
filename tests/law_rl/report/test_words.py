import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.actions import SampleWeights
from law_rl.actor import MlpActor, TableActor
from law_rl.features import FEATURE_NAMES, REMEMBERING
from law_rl.report.meanings import MEANINGS
from law_rl.report.outcome import outcome
from law_rl.report.run_directory import Comparison, Measured, Run
from law_rl.report.words import describe_schedule, sample_weights, typical_actions
from law_rl.schedule import Schedule
from law_rl.statistics import Interval

HEAD = SampleWeights(features=("own_agreement", "loss"))
PROVENANCE = {
    "experiment": "quickstart",
    "task": {"name": "digits", "hash": "0123456789abcdef", "data": {"noise": {"kind": "uniform", "rate": 0.4}}},
    "agent": {"name": "evolution", "hidden": [16, 8]},
    "training_seeds": [3, 4],
    "validation_gain": {"over": "uniform", "mean": 5.25, "ci95": [4.0, 6.5], "seeds": 2},
    "versions": {"law-rl": "0.1.0", "torch": "2.13.0"},
}


def table(**changes: Any) -> Schedule:
    rows = torch.tensor([[0.0, 0.0, 0.0], [0.5, -0.25, 0.0], [0.25, 0.0, -0.5]])
    settings: dict[str, Any] = {"action": HEAD, "observation": ("progress",), "stages": 3, "warmup": 1}
    settings |= {"actor": TableActor(actions=rows), "memory_decay": 0.8, "provenance": PROVENANCE}
    return Schedule(**settings | changes)


def policy(**changes: Any) -> Schedule:
    actor = MlpActor(weights=(torch.zeros(3, 2),), biases=(torch.zeros(3),))
    return table(actor=actor, observation=("progress", "validation"), **changes)


def test_every_feature_has_a_meaning_and_a_place_on_paper() -> None:
    assert set(MEANINGS) == set(FEATURE_NAMES)
    bounded = {name for name, (_, norm) in REMEMBERING.items() if norm == "none"} | {"loss_rank"}
    assert {name for name, meaning in MEANINGS.items() if meaning.reach == 1} == bounded


@given(
    action=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    value=st.floats(-3, 3),
    place=st.integers(0, 1),
    gain=st.floats(0.5, 10),
)
def test_sample_weights_are_the_formula(action: list[float], value: float, place: int, gain: float) -> None:
    head = SampleWeights(features=HEAD.features, gain=gain)
    (weight,) = sample_weights(head, action, HEAD.features[place], [value])
    formula = 1 + math.tanh(gain * (action[place] * value + action[2]))
    assert weight == pytest.approx(max(2.0**-24, formula), abs=1e-12)


def test_a_table_shows_its_own_actions() -> None:
    assert typical_actions(table(provenance={})) == [[0.5, -0.25, 0.0], [0.25, 0.0, -0.5]]


def test_a_policy_shows_what_was_recorded() -> None:
    assert typical_actions(policy(provenance={"typical_actions": [[1.0, 0.0, 0.5]]})) == [[1.0, 0.0, 0.5]]
    assert any("must be followed to be seen" in line for line in describe_schedule(policy(provenance={})))


def test_stage_lines_hold_the_action_and_what_follows() -> None:
    lines = [line.split() for line in describe_schedule(table())]
    # stage, bias, p at 0; then for each feature w, p at -1, p at 1: 1 + tanh(4 (w f + bias))
    assert ["1", "0.00", "1.00", "0.50", "0.04", "1.96", "-0.25", "1.76", "0.24"] in lines
    assert ["2", "-0.50", "0.04", "0.25", "0.00", "0.24", "0.00", "0.04", "0.04"] in lines


def test_the_direction_of_each_feature_is_counted() -> None:
    lines = describe_schedule(table())
    assert "High own_agreement counts more in 2 of 2 stages, less in 0." in lines
    assert "High loss counts more in 0 of 2 stages, less in 1." in lines


def test_kind_and_length_are_said() -> None:
    assert describe_schedule(table())[0].startswith("A table: fixed")
    assert "3 stages; stage 0 is warm-up" in describe_schedule(table())[1]
    assert "3 stages; no stage is warm-up." in describe_schedule(table(warmup=0))[1]
    lines = describe_schedule(policy(warmup=2))
    assert "progress, validation" in lines[0] and "needs validation data" in lines[1]
    assert "stages 0 to 1 are warm-up" in lines[2]


def test_its_origin_and_gain_are_said() -> None:
    schedule = table()
    lines = [line.strip() for line in describe_schedule(schedule)]
    for line in (
        "Learned by the experiment quickstart.",
        "Data: digits, content hash 0123456789ab.",
        "data: noise.kind uniform, noise.rate 0.4",
        "agent: name evolution, hidden 16 8",
        "Training seeds: 3, 4.",
        "Versions: law-rl 0.1.0, torch 2.13.0.",
        f"Content hash: {schedule.hash}",
    ):
        assert line in lines
    assert any("+5.2 points over uniform training (95 % interval 4.0 to 6.5)" in line for line in lines)


def test_a_schedule_without_provenance_says_so() -> None:
    assert "It does not say where it was learned." in describe_schedule(table(provenance={}))


def comparison(gain: Interval, closed: float | None = None, metric: str = "accuracy") -> Run:
    rows = (
        Measured(name="learned", interval=Interval(mean=80.0, low=79, high=81), values=(80.0,), gain=gain),
        Measured(name="uniform", interval=Interval(mean=78.0, low=77, high=79), values=(78.0,), gain=None),
    )
    measured = Comparison(metric=metric, seeds=5, over="uniform", rows=rows, gap_closed=closed)
    return Run(name="x", config={}, episodes=(), stages=(), search={}, comparison=measured, schedule=table())


@pytest.mark.parametrize(
    ("gain", "closed", "end"),
    [
        (Interval(mean=2.0, low=1.0, high=3.0), None, "on 5 unseen seeds."),
        (Interval(mean=2.0, low=1.0, high=3.0), 1.04, "on 5 unseen seeds; 104 % of the gap to the oracle closed."),
        (Interval(mean=2.0, low=-1.0, high=5.0), 0.8, "on 5 unseen seeds, which is no clear difference."),
        (Interval(mean=-2.0, low=-3.0, high=-1.0), -0.2, "on 5 unseen seeds, which is worse."),
    ],
)
def test_the_outcome_claims_no_more_than_its_interval(gain: Interval, closed: float | None, end: str) -> None:
    assert outcome(comparison(gain, closed)).endswith(end)


def test_another_metric_is_named() -> None:
    gain = Interval(mean=2.0, low=1.0, high=3.0)
    assert "80.00 recall against 78.00 recall" in outcome(comparison(gain, metric="recall"))
