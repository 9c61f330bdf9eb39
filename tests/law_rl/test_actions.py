import json
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.actions import (
    Action,
    Head,
    Heads,
    LossWeights,
    SampleWeights,
    TeacherAnchor,
    action_from_json,
    check_offered,
    heads_of,
)
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import LinearTanh, Uniform

WEIGHTS = SampleWeights(features=("loss", "margin"), gain=3.0)
ANCHOR = TeacherAnchor()
LOSSES = LossWeights(terms=("ce", "kd", "cc"), usual=(0.1, 0.9, 0.0), most=(0.3, 0.9, 20.0))
HEADS: tuple[Head, ...] = (WEIGHTS, ANCHOR, LOSSES)
ALL = Heads(sample_weights=WEIGHTS, teacher_anchor=ANCHOR, loss_weights=LOSSES)
ACTIONS: dict[str, Action] = {
    "sample weights": WEIGHTS,
    "teacher anchor": ANCHOR,
    "loss weights": LOSSES,
    "all heads": ALL,
    "two heads": Heads(teacher_anchor=ANCHOR, loss_weights=LOSSES),
    "one head": Heads(sample_weights=WEIGHTS),
}
ENTRIES = st.floats(-3, 3)


def clipped(entry: float) -> float:
    return min(max(entry, -1.0), 1.0)


# What entries are called, and what each means


def test_entries_are_named_in_order() -> None:
    assert WEIGHTS.names == ("weight of loss", "weight of margin", "bias")
    assert ANCHOR.names == ("teacher anchor",)
    assert LOSSES.names == ("loss ce", "loss kd", "loss cc")
    assert ALL.names == (*WEIGHTS.names, *ANCHOR.names, *LOSSES.names)
    assert ACTIONS["two heads"].names == (*ANCHOR.names, *LOSSES.names)


def test_features_are_those_that_samples_are_weighted_by() -> None:
    assert WEIGHTS.features == ALL.features == ("loss", "margin")
    assert ANCHOR.features == LOSSES.features == ACTIONS["two heads"].features == ()


@given(st.lists(ENTRIES, min_size=3, max_size=3))
def test_an_action_is_clipped_into_a_linear_tanh_rule(action: list[float]) -> None:
    weights, bias = tuple(map(clipped, action[:2])), clipped(action[2])
    rule = LinearTanh(features=("loss", "margin"), weights=weights, bias=bias, gain=3.0)
    assert WEIGHTS.directive(action) == Directive(weighting=rule)


@pytest.mark.parametrize(("entry", "position"), [(-1, 0.0), (-0.5, 0.25), (0, 0.5), (1, 1.0), (-7, 0.0), (1.01, 1.0)])
def test_the_anchor_goes_from_the_first_to_the_converged_teacher(entry: float, position: float) -> None:
    assert ANCHOR.directive([entry]) == Directive(anchor=position)


@pytest.mark.parametrize(
    ("entry", "weights"),
    [
        (-1.0, (0.0, 0.0, 0.0)),
        (-9.0, (0.0, 0.0, 0.0)),
        (-0.5, (0.05, 0.45, 0.0)),
        (0.0, (0.1, 0.9, 0.0)),
        (0.25, (0.15, 0.9, 5.0)),
        (1.0, (0.3, 0.9, 20.0)),
        (1.5, (0.3, 0.9, 20.0)),
    ],
)
def test_loss_weights_go_from_none_by_the_usual_to_the_most(entry: float, weights: tuple[float, ...]) -> None:
    directive = LOSSES.directive([entry] * 3)
    assert directive.losses == pytest.approx(dict(zip(LOSSES.terms, weights, strict=True)), rel=1e-12)
    if abs(entry) >= 1 or entry == 0:
        assert tuple(directive.losses.values()) == weights
    assert (directive.weighting, directive.anchor) == (Uniform(), 1.0)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(-1, 1), st.floats(-1, 1))
def test_loss_weights_rise_with_their_entry_and_are_never_negative(
    usual: float, more: float, one: float, other: float
) -> None:
    head = LossWeights(terms=("kd",), usual=(usual,), most=(usual + more + 0.1,))
    low, high = (head.directive([entry]).losses["kd"] for entry in sorted((one, other)))
    assert 0 <= low <= high * (1 + 1e-12) and high <= head.most[0] * (1 + 1e-12)
    assert head.directive([0.0]).losses["kd"] == usual
    assert head.directive([1.0]).losses["kd"] == head.most[0]


def test_the_baseline_is_the_action_of_the_twin() -> None:
    assert WEIGHTS.baseline == (0.0, 0.0, 0.0) and ANCHOR.baseline == (1.0,) and LOSSES.baseline == (0.0, 0.0, 0.0)
    assert ALL.baseline == (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    assert ANCHOR.directive(ANCHOR.baseline) == BASELINE
    directive = ALL.directive(ALL.baseline)
    assert directive.anchor == BASELINE.anchor
    assert directive.losses == {"ce": 0.1, "kd": 0.9, "cc": 0.0}
    assert directive.weighting == LinearTanh(features=("loss", "margin"), weights=(0.0, 0.0), bias=0.0, gain=3.0)


@given(st.data(), st.sets(st.sampled_from(range(3)), min_size=1))
def test_heads_set_what_each_would_set_alone(data: st.DataObject, chosen: set[int]) -> None:
    fields = ("sample_weights", "teacher_anchor", "loss_weights")
    alone = [HEADS[k] for k in sorted(chosen)]
    actions = [data.draw(st.lists(ENTRIES, min_size=len(h.names), max_size=len(h.names))) for h in alone]
    heads = Heads(**{fields[k]: HEADS[k] for k in chosen})  # type: ignore[arg-type]
    together = heads.directive([entry for action in actions for entry in action])
    single = {head.head: head.directive(action) for head, action in zip(alone, actions, strict=True)}
    assert together.weighting == single.get("sample_weights", BASELINE).weighting
    assert together.anchor == single.get("teacher_anchor", BASELINE).anchor
    assert together.losses == single.get("loss_weights", BASELINE).losses


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_of_the_wrong_length_is_refused(name: str) -> None:
    action = ACTIONS[name]
    size = len(action.names)
    for wrong in (0, size - 1, size + 1):
        with pytest.raises(ValueError, match=f"action has {wrong} entries: give {size}, namely {action.names[0]}"):
            action.directive([0.0] * wrong)


@pytest.mark.parametrize("name", ACTIONS)
def test_any_action_is_a_single_head_or_heads(name: str) -> None:
    action = ACTIONS[name]
    heads = heads_of(action)
    assert isinstance(heads, Heads) and heads.names == action.names and heads.baseline == action.baseline
    assert heads_of(heads) is heads
    assert heads.directive(action.baseline) == action.directive(action.baseline)


# JSON


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_survives_json(name: str) -> None:
    action = ACTIONS[name]
    again = action_from_json(json.loads(json.dumps({**action.to_json(), "names": list(action.names)})))
    assert again == action and type(again) is type(action)


@pytest.mark.parametrize(
    "value",
    [{"head": "mood"}, {**ALL.to_json(), "head": "mood"}, {**ALL.to_json(), "mood": {"head": "mood"}}],
)
def test_a_head_of_a_newer_version_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has the head 'mood', which this law-rl does not know: upgrade law-rl"):
        action_from_json(value)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_without_an_entry_is_a_missing_key(name: str) -> None:
    value = ACTIONS[name].to_json()
    for key in value:
        rest = {other: entry for other, entry in value.items() if other != key}
        if key == "head" or ACTIONS[name].head != "heads":
            with pytest.raises(KeyError):
                action_from_json(rest)


# What is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SampleWeights(features=("height",)), "features names 'height'"),
        (lambda: SampleWeights(features=()), "features names nothing"),
        (lambda: SampleWeights(gain=0.0), "gain is 0.0: give a number above 0"),
        (lambda: SampleWeights(gain=101.0), "gain is 101.0"),
        (lambda: SampleWeights(gain=math.nan), "gain is nan"),
        (lambda: LossWeights(terms=(), usual=(), most=()), "terms are empty: name each term of the loss once"),
        (lambda: losses(terms=("kd", "kd")), "terms are kd, kd: name each term of the loss once"),
        (lambda: losses(usual=(0.1,)), "usual has 1 and most 2 weights for 2 terms: give one each"),
        (lambda: losses(most=(1.0, 1.0, 1.0)), "usual has 2 and most 3 weights for 2 terms: give one each"),
        (lambda: losses(usual=(0.1, -0.1)), "kd is usually weighted -0.1 and at most 2.0: give 0 <= usual <= most"),
        (lambda: losses(most=(0.05, 2.0)), "ce is usually weighted 0.1 and at most 0.05: give 0 <= usual <= most"),
        (lambda: losses(most=(1.0, math.inf)), "kd is usually weighted 0.9 and at most inf"),
        (lambda: losses(usual=(0.1, math.nan)), "kd is usually weighted nan"),
        (lambda: losses(usual=(0.1, 0), most=(1.0, 0)), "kd is usually weighted 0 and at most 0: .* most above 0"),
        (lambda: Heads(), "no head is given: name sample_weights, teacher_anchor or loss_weights"),
        (lambda: ALL.directive([math.nan] * 7), "not finite|nan"),
        (lambda: ANCHOR.directive([math.nan]), "anchor is nan"),
        (lambda: LOSSES.directive([math.nan] * 3), "losses weights ce nan"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def losses(**changes: Any) -> LossWeights:
    return LossWeights(**({"terms": ("ce", "kd"), "usual": (0.1, 0.9), "most": (1.0, 2.0)} | changes))


def offering(**changes: Any) -> Any:
    """What a learner says of itself."""
    own: dict[str, Any] = {
        "feature_names": ("loss", "entropy", "margin"),
        "anchors": 4,
        "loss_weights": {"ce": 0.1, "kd": 0.9, "cc": 0.0, "hint": 0.0},
    }
    return SimpleNamespace(**(own | changes))


@pytest.mark.parametrize("name", ACTIONS)
def test_what_a_learner_offers_passes(name: str) -> None:
    check_offered(ACTIONS[name], offering())


@pytest.mark.parametrize(
    ("name", "offered", "message"),
    [
        ("sample weights", {"feature_names": ("loss",)}, "no feature margin: add --task.training.features loss margin"),
        ("all heads", {"feature_names": ("entropy",)}, "no feature loss, margin: add --task.training.features loss"),
        ("teacher anchor", {"anchors": 0}, "has no teacher, and the action chooses one: leave out .* teacher_anchor"),
        ("two heads", {"anchors": 0}, "has no teacher"),
        (
            "loss weights",
            {"loss_weights": {"ce": 0.1, "kd": 0.9}},
            "has no loss cc: choose loss_weights.terms from ce, kd$",
        ),
        ("loss weights", {"loss_weights": {}}, "has no loss ce: leave out the head loss_weights$"),
        (
            "all heads",
            {"loss_weights": {"ce": 0.1, "kd": 1.0, "cc": 0.0}},
            "loss_weights.usual says 0.9 for kd, and the training weights it 1.0: make them equal",
        ),
    ],
)
def test_what_a_learner_does_not_offer_is_refused(name: str, offered: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        check_offered(ACTIONS[name], offering(**offered))
    assert "\n" not in str(raised.value)
