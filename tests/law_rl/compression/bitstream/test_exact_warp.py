"""The exact warp against integers, plain shifts and the float warp."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.compression.bitstream.exact_warp import FixedWarp
from law_rl.compression.bitstream.grid import to_grid
from law_rl.compression.video.network.compensation import Warp
from law_rl.counters import torch_generator
from tests.law_rl.compression.bitstream.integers import grid_values, units


def drawn(batch: int, height: int, width: int, reach: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch_generator(seed, "warp")
    images = to_grid(torch.rand((batch, 3, height, width), generator=generator))
    return images, grid_values((batch, 2, height, width), generator, reach=int(reach * 4096))


def place(start: int, flow: int, size: int) -> tuple[int, int, int]:
    """A pixel, the next one and how many 64ths lie between, for a flow in units of 2^-12."""
    steps = min(64 * (size - 1), max(0, 64 * start + (flow + 32) // 64))
    return steps // 64, min(steps // 64 + 1, size - 1), steps % 64


def by_hand(images: Tensor, flow: Tensor) -> Tensor:
    result, own, moves = torch.zeros_like(images), units(images), units(flow)
    batch, channels, height, width = images.shape
    for b, y, x in product(range(batch), range(height), range(width)):
        above, below, down = place(y, moves[b, 1, y, x], height)
        left, right, across = place(x, moves[b, 0, y, x], width)
        for c in range(channels):
            picture = own[b, c]
            upper = picture[above, left] * (64 - across) + picture[above, right] * across
            lower = picture[below, left] * (64 - across) + picture[below, right] * across
            result[b, c, y, x] = ((upper * (64 - down) + lower * down + 2**11) // 2**12) / 2**12
    return result


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 2), st.integers(1, 5), st.integers(1, 6), st.sampled_from([0.02, 1, 9]), st.integers(0, 1000))
def test_it_is_the_arithmetic_of_integers(batch: int, height: int, width: int, reach: float, seed: int) -> None:
    images, flow = drawn(batch, height, width, reach, seed)
    assert (FixedWarp()(images, flow) == by_hand(images, flow)).all()


def test_flow_is_rounded_to_64ths_halves_up() -> None:
    images = torch.arange(8).double().view(1, 1, 1, 8) / 4
    flow = torch.zeros(1, 2, 1, 8).double()
    flow[:, 0] = torch.tensor([0, 1, 31, 32, 33, 95, 96, 97]).double() / 4096
    moved = (FixedWarp()(images, flow) - images)[0, 0, 0, :7] * 4 * 64
    assert moved.tolist() == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, -2), (-4, 5)])
def test_whole_pixels_are_copied_and_the_border_goes_on(right: int, down: int) -> None:
    images, flow = drawn(2, 9, 11, 0)
    flow[:, 0], flow[:, 1] = right, down
    rows, columns = (torch.arange(9) + down).clamp(0, 8), (torch.arange(11) + right).clamp(0, 10)
    assert (FixedWarp()(images, flow) == images[:, :, rows][:, :, :, columns]).all()


def test_it_is_near_the_float_warp() -> None:
    images, flow = drawn(2, 20, 30, 8)
    difference = FixedWarp()(images, flow) - Warp()(images, flow)
    assert 0 < difference.abs().max() < 2 / 128 + 1e-3
    at_64ths = (flow * 64).floor() / 64
    assert (FixedWarp()(images, at_64ths) - Warp()(images, at_64ths)).abs().max() < 2**-12


@pytest.mark.parametrize("far", [1e6, -1e6])
def test_flow_far_beyond_the_picture_shows_its_corner(far: float) -> None:
    images, flow = drawn(1, 4, 5, 0)
    corner = 0 if far < 0 else -1
    assert (FixedWarp()(images, flow + far) == images[:, :, corner, None, corner, None]).all()


def test_inputs_are_left_as_they_are() -> None:
    images, flow = drawn(1, 4, 5, 3)
    before = images.clone(), flow.clone()
    FixedWarp()(images, flow)
    assert (images == before[0]).all() and (flow == before[1]).all()
