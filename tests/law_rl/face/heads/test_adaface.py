import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.face.heads.adaface import AdaFace
from tests.law_rl.face.heads.references import Floats, assert_close, draw, values_and_slopes


def quality(norm: float, mean: float, std: float) -> float:
    return max(-1.0, min(1.0, 0.333 * (max(0.001, min(100.0, norm)) - mean) / (std + 0.001)))


def reference(
    cosines: Tensor, targets: Tensor, norms: Tensor, margin: float, mean: float, std: float
) -> tuple[Floats, Floats]:
    values = cosines.double().numpy().copy()
    slopes = np.ones_like(values)
    for row, own in enumerate(targets.tolist()):
        q = quality(float(norms[row]), mean, std)
        theta = math.acos(values[row, own])
        angle = theta - margin * q
        values[row, own] = math.cos(max(0.0, min(math.pi, angle))) - margin * (1 + q)
        if q != 0 and not 0 < angle < math.pi:
            slopes[row, own] = 0.0
        else:
            at_end = math.sin(theta) < 1e-12
            slopes[row, own] = math.cos(margin * q) if at_end else math.sin(angle) / math.sin(theta)
    return values, slopes


def head_with(mean: float, std: float, margin: float = 0.4) -> AdaFace:
    head = AdaFace(margin).eval()
    head.mean.fill_(mean)
    head.std.fill_(std)
    return head


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(1, 9),
    classes=st.integers(1, 7),
    margin=st.floats(0.01, 1),
    std=st.floats(0.5, 20),
)
def test_values_and_gradients(seed: int, samples: int, classes: int, margin: float, std: float) -> None:
    cosines, targets, norms = draw(samples, classes, seed)
    found = values_and_slopes(head_with(15.0, std, margin), cosines, targets, norms)
    expected = reference(cosines, targets, norms, margin, 15.0, std)
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("cosine", [1.0, -1.0, 0.99999994, -0.99999994, 0.95, -0.95, 0.0])
@pytest.mark.parametrize("norm", [0.0, 1e-9, 15.0, 22.0, 1e9, math.inf])
def test_the_ends_of_angles_and_lengths(cosine: float, norm: float) -> None:
    cosines, targets, norms = torch.full((1, 1), cosine), torch.tensor([0]), torch.tensor([norm])
    found = values_and_slopes(head_with(15.0, 5.0), cosines, targets, norms)
    assert_close(found, reference(cosines, targets, norms, 0.4, 15.0, 5.0))


def test_the_margin_is_arcface_s_for_low_quality_and_cosface_s_for_the_mean_one() -> None:
    cosines, targets = torch.full((3, 1), 0.3), torch.zeros(3, dtype=torch.int64)
    low, middle, high = head_with(20.0, 1.0)(cosines, targets, torch.tensor([1.0, 20.0, 90.0])).flatten().tolist()
    assert low == pytest.approx(math.cos(math.acos(0.3) + 0.4))
    assert middle == pytest.approx(0.3 - 0.4)
    assert high == pytest.approx(math.cos(math.acos(0.3) - 0.4) - 0.8)


def test_statistics_follow_the_lengths_in_training_alone() -> None:
    head, mean, std = AdaFace(0.4), 20.0, 100.0
    for step in range(5):
        batch = draw(8, 4, seed=step)
        lengths = batch[2].double()
        mean, std = 0.99 * mean + 0.01 * lengths.mean().item(), 0.99 * std + 0.01 * lengths.std().item()
        head(*batch)
        assert head.mean.item() == pytest.approx(mean, rel=1e-6) and head.std.item() == pytest.approx(std, rel=1e-6)
    before = {name: value.clone() for name, value in head.eval().state_dict().items()}
    head(*draw(8, 4))
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())


def test_a_batch_of_one_moves_the_mean_alone() -> None:
    head = AdaFace(0.4)
    assert head(*draw(1, 4)).isfinite().all()
    assert head.std.item() == 100.0 and head.mean.item() != 20.0


def test_lengths_get_no_gradient() -> None:
    cosines, targets, norms = draw(8, 4)
    found = AdaFace(0.4)(cosines.requires_grad_(), targets, norms.requires_grad_())
    _, gradient = torch.autograd.grad(found.sum(), (cosines, norms), allow_unused=True)
    assert gradient is None
