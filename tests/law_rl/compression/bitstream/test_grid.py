"""The grid of 2^-12, and pixels to it and back."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.compression.bitstream.grid import to_grid, to_pixels


@given(st.floats(-5000, 5000, width=32))
def test_values_are_rounded_to_the_grid_halves_up(value: float) -> None:
    expected = math.floor(Fraction(value) * 4096 + Fraction(1, 2))
    found = to_grid(torch.tensor([value], dtype=torch.float32))
    assert found.dtype == torch.float64 and found.tolist() == [expected / 4096]


def test_halves_go_up_on_both_sides_of_zero() -> None:
    assert (to_grid(torch.tensor([-1.5, -0.5, 0.5, 1.5]) / 4096) * 4096).tolist() == [-1, 0, 1, 2]


def test_a_grid_of_float64_is_another_tensor() -> None:
    values = torch.tensor([0.3], dtype=torch.float64)
    assert to_grid(values).data_ptr() != values.data_ptr() and values.tolist() == [0.3]


@pytest.mark.parametrize("toward", [-math.inf, math.inf])
def test_pixels_give_the_same_however_their_division_was_rounded(toward: float) -> None:
    floats = torch.arange(256, dtype=torch.float32) / 255
    beside = torch.nextafter(floats, torch.tensor(toward))
    exact = torch.arange(256, dtype=torch.float64) / 255
    assert (to_grid(beside) == to_grid(exact)).all() and (to_grid(floats) == to_grid(exact)).all()


def test_pixels_return_from_the_grid() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    found = to_pixels(to_grid(pixels.float() / 255))
    assert found.dtype == torch.uint8 and (found == pixels).all()


def test_pixels_are_rounded_halves_up_and_cut() -> None:
    units = torch.arange(-5000, 10000)
    expected = [min(255, max(0, (255 * unit + 2048) // 4096)) for unit in units.tolist()]
    assert to_pixels(units.double() / 4096).tolist() == expected
