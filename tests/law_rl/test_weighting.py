import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.counters import torch_generator
from law_rl.weighting import (
    RULES,
    ByIndex,
    Focal,
    KeepLowest,
    LinearTanh,
    SelfPaced,
    Uniform,
    Weighting,
    focal,
    from_json,
    linear_tanh,
    self_paced,
    to_json,
)

NUMBERS = st.floats(-1, 1, width=32)
LOSSES = torch.tensor([0.0, 1e-3, 0.3, 1.0, 2.3, 7.0, 30.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=4), NUMBERS, st.floats(0.5, 10), st.integers(0, 100))
def test_linear_tanh_is_its_formula(weights: list[float], bias: float, gain: float, seed: int) -> None:
    rule = LinearTanh(features=tuple("abcd"[: len(weights)]), weights=tuple(weights), bias=bias, gain=gain)
    features = list(torch.randn(len(weights), 9, generator=torch_generator(seed, "test features")) * 3)
    kept = [feature.clone() for feature in features]
    got = linear_tanh(rule, features)
    for i in range(9):
        score = sum(w * float(feature[i]) for w, feature in zip(weights, kept, strict=True)) + bias
        assert got[i].item() == pytest.approx(1 + math.tanh(gain * score), abs=5e-5)
    assert bool(((got > 0) & (got <= 2)).all())
    assert all(torch.equal(one, other) for one, other in zip(features, kept, strict=True))


def test_zero_parameters_weight_uniformly() -> None:
    rule = LinearTanh(features=("a", "b"), weights=(0.0, 0.0), bias=0.0)
    assert torch.equal(linear_tanh(rule, [torch.randn(5), torch.full((5,), 1e20)]), torch.ones(5))


@pytest.mark.parametrize("extreme", [1e6, 1e30, 3e38])
def test_extreme_features_saturate(extreme: float) -> None:
    rule = LinearTanh(features=("a",), weights=(1.0,), bias=1.0, gain=10.0)
    assert linear_tanh(rule, [torch.tensor([-extreme, extreme])]).tolist() == pytest.approx([0.0, 2.0], abs=1e-7)


def test_a_batch_never_weighs_nothing() -> None:
    """Else a host's sum(p l) / sum(p) would be 0 / 0; equal weights, however small, are uniform ones."""
    rule = LinearTanh(features=("a",), weights=(0.0,), bias=-1.0, gain=100.0)
    weights = linear_tanh(rule, [torch.randn(4, generator=torch_generator(0, "test features"))])
    assert (weights / weights.sum()).tolist() == [0.25] * 4


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_weights_are_those_of_the_focal_loss(gamma: float) -> None:
    logits = torch.randn(20, 5, generator=torch_generator(0, "test logits"), dtype=torch.float64) * 3
    targets = torch.arange(20) % 5
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    own = logits.softmax(dim=1)[torch.arange(20), targets]
    focal_losses = -((1 - own) ** gamma) * own.log()
    torch.testing.assert_close(focal(Focal(gamma=gamma), losses) * losses, focal_losses)


def test_self_paced_weights_fall_linearly_to_zero_at_the_threshold() -> None:
    expected = [max(0.0, 1 - loss / 1.5) for loss in LOSSES.tolist()]
    assert self_paced(SelfPaced(threshold=1.5), LOSSES).tolist() == pytest.approx(expected)


RULE_STRATEGIES: dict[str, st.SearchStrategy[Weighting]] = {
    "uniform": st.just(Uniform()),
    "linear_tanh": st.lists(NUMBERS, min_size=1, max_size=3).map(
        lambda w: LinearTanh(features=("x", "y", "z")[: len(w)], weights=tuple(w), bias=0.1, gain=3.0)
    ),
    "keep_lowest": st.floats(0.01, 1).map(lambda share: KeepLowest(share=share)),
    "focal": st.floats(0, 20).map(lambda gamma: Focal(gamma=gamma)),
    "self_paced": st.floats(1e-3, 1e3).map(lambda threshold: SelfPaced(threshold=threshold)),
    "by_index": st.lists(st.floats(0, 2), max_size=4).map(lambda w: ByIndex(weights=tuple(w))),
}


def test_every_rule_is_tested() -> None:
    assert set(RULES) == set(RULE_STRATEGIES)


@pytest.mark.parametrize("name", RULE_STRATEGIES)
def test_a_rule_survives_json(name: str) -> None:
    @settings(max_examples=15, deadline=None)
    @given(RULE_STRATEGIES[name])
    def check(rule: Weighting) -> None:
        value = json.loads(json.dumps(to_json(rule)))
        assert value["rule"] == name
        assert from_json(value) == rule
        assert from_json(to_json(rule)) == rule

    check()


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="weighting rule 'magic' is not known: use one of uniform, linear_tanh"):
        from_json({"rule": "magic"})


@pytest.mark.parametrize(
    ("rule", "settings", "message"),
    [
        (LinearTanh, {"features": ("a",), "weights": (1.0, 2.0), "bias": 0.0}, "2 weights for 1 features"),
        (LinearTanh, {"features": ("a",), "weights": (math.nan,), "bias": 0.0}, "not finite"),
        (LinearTanh, {"features": ("a",), "weights": (1.0,), "bias": math.inf}, "not finite"),
        (KeepLowest, {"share": 0.0}, "share is 0.0"),
        (KeepLowest, {"share": 1.1}, "share is 1.1"),
        (KeepLowest, {"share": math.nan}, "share is nan"),
        (Focal, {"gamma": -1.0}, "gamma is -1.0"),
        (Focal, {"gamma": math.nan}, "gamma is nan"),
        (SelfPaced, {"threshold": 0.0}, "threshold is 0.0"),
        (SelfPaced, {"threshold": math.inf}, "threshold is inf"),
        (ByIndex, {"weights": (1.0, -1.0)}, "negative or not finite"),
        (ByIndex, {"weights": (math.nan,)}, "negative or not finite"),
    ],
)
def test_values_out_of_range_are_refused(rule: type[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(**settings)
