"""Exact convolutions against the arithmetic of integers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.bitstream.exact_convolution import FixedConvolution
from law_rl.compression.network.layers import Conv2d, Upsampling
from law_rl.counters import torch_generator
from tests.law_rl.compression.bitstream.integers import Integers, convolved, grid_values, units

Layer = nn.Conv2d | nn.ConvTranspose2d


def drawn(layer: Layer, seed: int = 0, weight: float = 0.3) -> Layer:
    generator = torch_generator(seed, "convolution")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * weight)
    return layer


def by_hand(layer: Layer, image: Tensor) -> Integers:
    values = np.clip(units(image), -(2**22), 2**22)
    return np.clip((convolved(layer, values) + 2**15) // 2**16, -(2**22), 2**22)


def same(layer: Layer, images: Tensor) -> None:
    found = FixedConvolution(layer)(images)
    assert found.dtype == torch.float64
    for image, own in zip(images, found, strict=True):
        expected = by_hand(layer, image)
        assert expected.shape == tuple(own.shape) and (units(own) == expected).all()


sizes = st.tuples(st.integers(1, 4), st.integers(1, 5))
kernels = st.tuples(st.integers(1, 5), st.integers(1, 5))
pairs = st.tuples(st.integers(0, 2), st.integers(0, 2))


@settings(deadline=None, max_examples=60)
@given(kernels, pairs, sizes, st.integers(1, 2), st.booleans())
def test_a_convolution_is_that_of_integers(
    kernel: tuple[int, int], padding: tuple[int, int], size: tuple[int, int], batch: int, bias: bool
) -> None:
    assume(all(n + 2 * p >= k for n, p, k in zip(size, padding, kernel, strict=True)))
    layer = drawn(nn.Conv2d(2, 3, kernel, padding=padding, bias=bias))
    same(layer, grid_values((batch, 2, *size), torch_generator(0, "values")))


@settings(deadline=None, max_examples=60)
@given(kernels, st.tuples(st.integers(1, 4), st.integers(1, 4)), pairs, pairs, sizes, st.integers(1, 2))
def test_a_transposed_convolution_is_that_of_integers(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    more: tuple[int, int],
    size: tuple[int, int],
    batch: int,
) -> None:
    axes = list(zip(kernel, stride, padding, more, size, strict=True))
    assume(all(m < s and (n - 1) * s - 2 * p + k + m > 0 for k, s, p, m, n in axes))
    layer = drawn(nn.ConvTranspose2d(2, 3, kernel, stride, padding, more))
    same(layer, grid_values((batch, 2, *size), torch_generator(0, "values")))


def test_large_values_are_cut_on_both_sides_of_it() -> None:
    layer = drawn(Conv2d(3, 4, 3), weight=1)
    images = grid_values((1, 3, 4, 5), torch_generator(0, "values"), reach=1 << 23)
    same(layer, images)
    assert FixedConvolution(layer)(images).abs().max() == 1024


def test_halves_go_up() -> None:
    layer = Conv2d(1, 1, 1)
    nn.init.constant_(layer.weight, 0.5)
    found = FixedConvolution(layer)(torch.tensor([-3.0, -1, 1, 3]).double().view(1, 1, 1, 4) / 4096)
    assert (found.flatten() * 4096).tolist() == [-1, 0, 1, 2]


def test_a_bias_is_rounded_first() -> None:
    layer = Conv2d(1, 1, 1)
    nn.init.constant_(layer.bias, 2.0**-13 - 2.0**-30)
    assert FixedConvolution(layer)(torch.zeros(1, 1, 1, 1).double()).item() == 2.0**-12


@pytest.mark.parametrize("layer", [Conv2d(3, 5, 3), Conv2d(3, 5, 5), Upsampling(3, 5), Upsampling(3, 5, 3)])
def test_it_is_near_the_float_layer(layer: Layer) -> None:
    drawn(layer)
    values = grid_values((2, 3, 8, 12), torch_generator(0, "values"))
    with torch.no_grad():
        difference = FixedConvolution(layer)(values) - layer(values.float())
    assert 0 < difference.abs().max() < 0.002


def test_inputs_are_left_as_they_are() -> None:
    values = grid_values((1, 3, 4, 4), torch_generator(0, "values"), reach=1 << 23)
    before = values.clone()
    FixedConvolution(drawn(Conv2d(3, 3, 3)))(values)
    assert (values == before).all()


def test_a_single_pixel_gives_the_same_twice() -> None:
    exact, pixel = FixedConvolution(drawn(Conv2d(2, 2, 1))), torch.ones(1, 2, 1, 1).double()
    assert (exact(pixel) == exact(pixel)).all()


def test_the_largest_sums_that_are_taken_are_exact() -> None:
    layer = nn.Conv2d(3, 1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([7691, 7691, -1000.5]).view(1, 3, 1, 1))
        layer.bias.fill_(-(2.0**-28))
    values = torch.tensor([1024, -1024, 2**-12]).double().view(1, 3, 1, 1)
    assert (FixedConvolution(layer)(values) * 4096).item() == -1001  # without the bias -1000
    with torch.no_grad():
        layer.weight.mul_(1.01)
    with pytest.raises(ValueError, match="too large"):
        FixedConvolution(layer)


def test_a_sum_in_another_order_is_the_same() -> None:
    layer, values = drawn(Conv2d(64, 4, 3)), grid_values((1, 64, 6, 6), torch_generator(0, "values"), reach=1 << 22)
    order = torch.randperm(64, generator=torch_generator(0, "order"))
    other = drawn(Conv2d(64, 4, 3))
    with torch.no_grad():
        other.weight.copy_(layer.weight[:, order])
    assert (FixedConvolution(other)(values[:, order]) == FixedConvolution(layer)(values)).all()
    rough = [functional.conv2d(v.float(), w) for v, w in ((values, layer.weight), (values[:, order], other.weight))]
    assert (rough[0] != rough[1]).any()


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: nn.Conv2d(2, 2, 1, groups=2), "in groups"),
        (lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "other padding"),
        (lambda: nn.Conv2d(2, 2, 3, padding="same"), "other padding"),
        (lambda: nn.Conv2d(2, 2, 3, stride=2), "has a stride"),
        (lambda: nn.ConvTranspose2d(2, 2, 3, dilation=2), "dilated"),
        (lambda: drawn(Conv2d(2, 2, 3), weight=1e6), "too large"),
        (lambda: drawn(Conv2d(2, 2, 3), weight=float("nan")), "not finite"),
        (lambda: drawn(Conv2d(2, 2, 3), weight=float("inf")), "not finite"),
    ],
)
def test_what_might_not_be_exact_is_refused(layer: Callable[[], Layer], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FixedConvolution(layer())
