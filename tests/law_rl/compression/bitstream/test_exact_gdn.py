"""Exact normalisation against integers and single operations of Python's floats."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.compression.bitstream.exact_gdn import FixedGDN
from law_rl.compression.network.gdn import GDN
from law_rl.counters import torch_generator
from tests.law_rl.compression.bitstream.integers import Integers, grid_values, units


def drawn(channels: int, *, inverse: bool, gamma: float = 0.3, seed: int = 0) -> GDN:
    gdn, generator = GDN(channels, inverse=inverse), torch_generator(seed, "gdn")
    with torch.no_grad():
        gdn.gamma.copy_(torch.randn(gdn.gamma.shape, generator=generator) * gamma)
        gdn.beta.copy_(torch.rand(gdn.beta.shape, generator=generator))
    return gdn


def by_hand(gdn: GDN, pixels: Integers) -> Integers:
    """[n, C] in units of 2^-12."""
    gammas = [[max(g, 2.0**-18) ** 2 - 2.0**-36 for g in row] for row in gdn.gamma.detach().double().tolist()]
    betas = [max(b, math.sqrt(1e-6 + 2.0**-36)) ** 2 - 2.0**-36 for b in gdn.beta.detach().double().tolist()]
    result = np.zeros_like(pixels)
    for pixel, own in zip(np.clip(pixels, -(2**20), 2**20), result, strict=True):
        squares = [(int(x) ** 2 + 2**11) // 2**12 for x in pixel]
        for channel, (row, beta) in enumerate(zip(gammas, betas, strict=True)):
            bits = min(28, 51 - sum(round(g * 2**28) for g in row).bit_length())
            energy = sum(round(g * 2**bits) * square for g, square in zip(row, squares, strict=True))
            root = math.sqrt((energy + round(beta * 2 ** (bits + 12))) / 2 ** (bits + 12))
            x = int(pixel[channel]) / 2**12
            value = x * root if gdn.inverse else x / root
            own[channel] = min(2**22, max(-(2**22), math.floor(value * 2**12 + 0.5)))
    return result


def same(gdn: GDN, values: Tensor) -> None:
    found = FixedGDN(gdn)(values)
    assert found.dtype == torch.float64 and found.shape == values.shape
    channels = values.shape[1]
    expected = by_hand(gdn, units(values.movedim(1, 3)).reshape(-1, channels))
    assert (units(found.movedim(1, 3)).reshape(-1, channels) == expected).all()


@settings(deadline=None, max_examples=60)
@given(
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 2),
    st.sampled_from([0.0, 1e-4, 0.01, 0.3, 3.0]),
    st.sampled_from([1, 7, 12, 15, 20, 21, 24]),
    st.integers(0, 1000),
)
def test_it_is_the_arithmetic_of_integers(
    inverse: bool, channels: int, batch: int, gamma: float, reach: int, seed: int
) -> None:
    values = grid_values((batch, channels, 3, 4), torch_generator(seed, "values"), reach=1 << reach)
    same(drawn(channels, inverse=inverse, gamma=gamma, seed=seed), values)


@pytest.mark.parametrize("inverse", [False, True])
def test_squares_are_rounded_before_they_are_summed(inverse: bool) -> None:
    gdn = GDN(1, inverse=inverse)
    with torch.no_grad():
        gdn.gamma.fill_(8.0)
        gdn.beta.fill_(0.0)
    values = torch.arange(1, 200).double().view(1, 1, 1, -1) / 4096
    same(gdn, values)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("gamma", [0.003, 0.3])
def test_it_is_near_the_float_layer(inverse: bool, gamma: float) -> None:
    gdn, values = drawn(8, inverse=inverse, gamma=gamma), grid_values((2, 8, 5, 6), torch_generator(0, "values"))
    with torch.no_grad():
        expected = gdn(values.float())
    assert (FixedGDN(gdn)(values) - expected).abs().max() < 0.001 * (1 + expected.abs().max())


def test_a_small_gamma_is_not_lost() -> None:
    gdn = GDN(2)
    with torch.no_grad():
        gdn.gamma.fill_(1e-3)
    values = torch.full((1, 2, 1, 1), 250.0).double()
    assert (FixedGDN(gdn)(values) - gdn.double()(values)).abs().max() < 0.1


@pytest.mark.parametrize("inverse", [False, True])
def test_a_sum_in_another_order_is_the_same(inverse: bool) -> None:
    gdn, other = drawn(48, inverse=inverse), drawn(48, inverse=inverse)
    order = torch.randperm(48, generator=torch_generator(0, "order"))
    with torch.no_grad():
        other.gamma.copy_(gdn.gamma[order][:, order])
        other.beta.copy_(gdn.beta[order])
    values = grid_values((1, 48, 6, 6), torch_generator(0, "values"), reach=1 << 20)
    assert (FixedGDN(other)(values[:, order]) == FixedGDN(gdn)(values)[:, order]).all()


def test_inputs_are_left_as_they_are() -> None:
    values = grid_values((1, 3, 4, 4), torch_generator(0, "values"))
    before = values.clone()
    FixedGDN(drawn(3, inverse=True))(values)
    assert (values == before).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("gamma", 80), *((name, value) for name in ("gamma", "beta") for value in (1e4, math.inf, math.nan))],
)
def test_what_might_not_be_exact_is_refused(name: str, value: float) -> None:
    gdn = GDN(2)
    with torch.no_grad():
        getattr(gdn, name).fill_(value)
    with pytest.raises(ValueError, match="GDN is not finite or too large"):
        FixedGDN(gdn)
