import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.batch import Batch
from law_rl.counters import torch_generator
from law_rl.features import Features
from law_rl.weigher import Weigher
from law_rl.weighting import ByIndex, Focal, KeepLowest, LinearTanh, SelfPaced, Uniform, Weighting, focal, self_paced

SAMPLES, CLASSES = 24, 3
NAMES = ("loss", "own_loss")


def weigher() -> Weigher:
    targets = torch.arange(SAMPLES) % CLASSES
    return Weigher(Features(NAMES, classes=CLASSES, targets=targets, memory_decay=0.8))


def batch(seed: int, size: int = 8, ids: bool = True) -> Batch:
    generator = torch_generator(seed, "test batch")
    order = torch.randperm(SAMPLES, generator=generator)[:size]
    logits = torch.randn(size, CLASSES, generator=generator)
    targets = order % CLASSES
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    return Batch(losses=losses, logits=logits, targets=targets, ids=order if ids else None)


def test_uniform_gives_no_weights_and_leaves_the_weight_average_alone() -> None:
    one = weigher()
    assert one.rule == Uniform()
    assert one.weights(batch(0)) is None
    one.statistics.flush()
    assert one.statistics.ema_weight == 0.0
    assert one.statistics.ema_loss == pytest.approx(0.8 * 2.3 + 0.2 * batch(0).losses.mean().item())


def test_rules_by_loss_see_the_batch() -> None:
    one, b = weigher(), batch(1)
    for rule, expected in (
        (Focal(gamma=2.0), focal(Focal(gamma=2.0), b.losses)),
        (SelfPaced(threshold=1.0), self_paced(SelfPaced(threshold=1.0), b.losses)),
    ):
        one.set_rule(rule)
        weights = one.weights(b)
        assert weights is not None and torch.equal(weights, expected)


def test_linear_tanh_uses_its_own_features_by_name() -> None:
    one, b = weigher(), batch(1)
    one.set_rule(LinearTanh(features=("loss",), weights=(-0.5,), bias=0.25, gain=2.0))
    z = (b.losses - b.losses.mean()) / (b.losses.std(correction=0) + 1e-5)
    weights = one.weights(b)
    assert weights is not None
    torch.testing.assert_close(weights, 1 + torch.tanh(2.0 * (-0.5 * z + 0.25)))


@settings(max_examples=50, deadline=None)
@given(st.floats(0.001, 1.0), st.integers(0, 100), st.booleans())
def test_keep_lowest_keeps_the_right_share_of_the_whole_set(share: float, seed: int, ties: bool) -> None:
    one = weigher()
    losses = torch.rand(SAMPLES, generator=torch_generator(seed, "test losses"))
    if ties:
        losses = (losses * 3).floor()
    one.set_rule(KeepLowest(share=share))
    assert one.needs_ranking
    one.rank(losses)
    ids = torch.arange(SAMPLES)
    weights = one.weights(Batch(losses=losses, logits=torch.zeros(SAMPLES, CLASSES), targets=ids % CLASSES, ids=ids))
    assert weights is not None
    assert set(weights.tolist()) <= {0.0, 1.0}
    assert int(weights.sum()) == max(1, round(share * SAMPLES))
    if bool((weights == 0).any()):
        assert losses[weights == 1].max() <= losses[weights == 0].min()


def test_weights_by_index_follow_the_ids() -> None:
    one, b = weigher(), batch(2)
    one.set_rule(ByIndex(weights=tuple(float(i) for i in range(SAMPLES))))
    assert not one.needs_ranking
    weights = one.weights(b)
    assert weights is not None and b.ids is not None
    assert torch.equal(weights, b.ids.float())


def test_a_new_rule_forgets_the_old_ones_ranking() -> None:
    one = weigher()
    one.set_rule(ByIndex(weights=(0.5,) * SAMPLES))
    one.weights(batch(0))
    one.set_rule(ByIndex(weights=(0.25,) * SAMPLES))
    weights = one.weights(batch(0))
    assert weights is not None and weights.tolist() == [0.25] * 8


@pytest.mark.parametrize("rule", [ByIndex(weights=(1.0,) * SAMPLES), KeepLowest(share=0.5)])
def test_rules_by_index_want_ids(rule: Weighting) -> None:
    one = Weigher(Features(("loss",), classes=CLASSES, targets=None, memory_decay=0.0))
    one.set_rule(rule)
    one.rank(torch.rand(SAMPLES, generator=torch_generator(0, "test losses")))
    with pytest.raises(ValueError, match=f"the rule {rule.rule} weights samples by index: pass ids"):
        one.weights(batch(0, ids=False))


def test_weights_carry_no_gradient() -> None:
    one = weigher()
    one.set_rule(LinearTanh(features=NAMES, weights=(1.0, 1.0), bias=0.0))
    b = batch(0)
    logits = b.logits.clone().requires_grad_()
    losses = torch.nn.functional.cross_entropy(logits, b.targets, reduction="none")
    weights = one.weights(Batch(losses=losses, logits=logits, targets=b.targets, ids=b.ids))
    assert weights is not None and not weights.requires_grad


@pytest.mark.parametrize("steps", [0, 5, 20])
def test_a_restored_weigher_goes_on_bit_for_bit(steps: int) -> None:
    rule = LinearTanh(features=NAMES, weights=(-0.3, 0.4), bias=0.1)
    one, other = weigher(), weigher()
    one.set_rule(rule)
    for step in range(steps):
        one.weights(batch(step))
    other.load_state_dict(one.state_dict())
    other.set_rule(rule)
    for step in range(steps, steps + 10):
        first, second = one.weights(batch(step)), other.weights(batch(step))
        assert first is not None and second is not None and torch.equal(first, second)
    for each in (one, other):
        each.statistics.flush()
    assert one.statistics.ema_loss == other.statistics.ema_loss
    assert one.statistics.ema_weight == other.statistics.ema_weight
    assert one.statistics.quantiles == other.statistics.quantiles
