"""Bits against a float64 oracle, in the tails too; probabilities sum to one; quantisation is on its grid."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp
from torch import Tensor

from law_rl.compression.network.mixture import LEVELS, level_of, mixture_bits, on_grid, quantise, split
from law_rl.counters import torch_generator


def parameters(components: int, *, channels: int = 4, size: int = 5) -> Tensor:
    groups = 2 if components == 1 else 3
    draws = torch.randn(2, groups, components, channels, size, size, generator=torch_generator(components, "mixture"))
    draws[:, 0] = draws[:, 0] * 20 + 30
    draws[:, 1] *= 5
    return draws.flatten(1, 3)


def latents(spread: float, *, channels: int = 4, size: int = 5) -> Tensor:
    return spread * torch.randn(2, channels, size, size, generator=torch_generator(0, "latents", int(spread)))


def oracle(y: Tensor, raw: Tensor, components: int) -> NDArray[np.float64]:
    shape = (y.shape[0], 2 if components == 1 else 3, components, *y.shape[1:])
    values = raw.double().numpy().reshape(shape)
    scales = 0.11 * (256 / 0.11) ** (values[:, 0].clip(0, 63) / 63)
    distance = -np.abs(y.double().numpy()[:, None] - values[:, 1])
    upper, lower = log_ndtr((distance + 0.5) / scales), log_ndtr((distance - 0.5) / scales)
    bins = upper + np.log(-np.expm1(lower - upper))
    weights = values[:, 2] if components > 1 else np.zeros_like(bins)
    return np.asarray(-logsumexp(bins + weights - logsumexp(weights, axis=1, keepdims=True), axis=1) / math.log(2))


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("spread", [1.0, 10.0, 1000.0])
def test_bits(components: int, spread: float) -> None:
    y, raw = latents(spread), parameters(components)
    expected = np.minimum(oracle(y, raw, components), 24.0)
    np.testing.assert_allclose(mixture_bits(y, raw, components).numpy(), expected, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(mixture_bits(y.double(), raw.double(), components).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("distance", [0.0, 0.5, 100.0, -1e4])
@pytest.mark.parametrize("level", [-50.0, 0.0, 63.0, 200.0])
def test_gradients_are_finite_in_the_tails(components: int, distance: float, level: float) -> None:
    groups = 2 if components == 1 else 3
    raw = torch.zeros(1, groups * components, 1, 1)
    raw[:, :components] = level
    raw.requires_grad_()
    y = torch.full((1, 1, 1, 1), distance, requires_grad=True)
    bits = mixture_bits(y, raw, components)
    bits.sum().backward()
    assert y.grad is not None and raw.grad is not None
    assert bits.isfinite().all() and y.grad.isfinite().all() and raw.grad.isfinite().all()
    if abs(distance) == 1e4:
        assert y.grad.item() * distance > 0  # the way back
        assert (raw.grad[:, components : 2 * components] * distance < 0).all()


def test_a_level_out_of_range_comes_back() -> None:
    raw = torch.tensor([-10.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    mixture_bits(torch.full((1, 1, 1, 1), 3.0), raw, 1).sum().backward()
    assert raw.grad is not None and raw.grad[0, 0].item() < 0
    narrow = torch.tensor([-10.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    mixture_bits(torch.zeros(1, 1, 1, 1), narrow, 1).sum().backward()
    assert narrow.grad is not None and narrow.grad[0, 0].item() == 0


@given(
    components=st.sampled_from([1, 2, 3]),
    values=st.lists(st.floats(-2, 2), min_size=9, max_size=9),
    levels=st.lists(st.floats(0, 40), min_size=3, max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_probabilities_sum_to_one(components: int, values: list[float], levels: list[float]) -> None:
    groups = 2 if components == 1 else 3
    row = [*levels[:components], *values][: groups * components]
    raw = torch.tensor(row, dtype=torch.float64).view(1, -1, 1, 1)
    y = torch.arange(-200, 201, dtype=torch.float64).view(1, 1, 1, -1)
    bits = mixture_bits(y, raw.expand(-1, -1, 1, y.shape[-1]), components)
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=401 * 2.0**-24)


def test_levels_are_those_of_the_table() -> None:
    scales = torch.tensor([0.11, 1.0, 256.0])
    assert level_of(scales).tolist() == pytest.approx([0, 17.94, LEVELS - 1], abs=0.01)


def test_groups_are_scale_mean_weight() -> None:
    raw = torch.arange(3 * 2 * 4).view(1, -1, 1, 1).float()
    levels, means, logits = split(raw, 2)
    assert logits is not None
    assert levels[0, 1, 0].item() == 4
    assert means[0, 0, 0].item() == 8
    assert logits[0, 1, 3].item() == 23
    assert split(raw, 1).logits is None


@pytest.mark.parametrize("components", [1, 3])
def test_on_grid(components: int) -> None:
    raw = parameters(components)
    levels, means, logits = split(on_grid(raw, components), components)
    assert ((levels == levels.round()) & (levels >= 0) & (levels < LEVELS)).all()
    assert torch.equal(means * 16, (means * 16).round())
    assert (means - split(raw, components).means).abs().max() <= 1 / 32
    assert logits is None or torch.equal(logits * 16, (logits * 16).round())
    assert torch.equal(on_grid(on_grid(raw, components), components), on_grid(raw, components))


def test_one_component_is_rounded_off_its_mean() -> None:
    y, raw = latents(10.0).requires_grad_(), parameters(1).requires_grad_()
    y_hat = quantise(y, raw, 1)
    offsets = on_grid(raw, 1)[:, 4:]
    torch.testing.assert_close(y_hat - offsets, (y_hat - offsets).round())
    assert (y_hat - y).abs().max() <= 0.5 + 1e-5
    (3 * y_hat.sum()).backward()
    assert y.grad is not None and (y.grad == 3).all()
    assert raw.grad is None


def test_several_components_are_rounded_directly() -> None:
    y = latents(10.0)
    torch.testing.assert_close(quantise(y, parameters(3), 3), y.round())


def test_bits_are_float32_under_autocast() -> None:
    y, raw = latents(10.0), parameters(3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(mixture_bits(y, raw, 3), mixture_bits(y.clone(), raw.clone(), 3))
        low = mixture_bits(y.bfloat16(), raw.bfloat16(), 3)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, mixture_bits(y.bfloat16().float(), raw.bfloat16().float(), 3))
