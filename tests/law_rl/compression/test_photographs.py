"""Crops are pieces of the photographs, drawn evenly, from counters."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from law_rl.compression.photographs import DRAWS, Photographs
from law_rl.compression.training_step import batch_draws

SIZE = 8


def picture(height: int, width: int, number: int = 0) -> NDArray[np.uint8]:
    """A picture whose pixel at (row, column) is (row, column, number)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, number)], axis=2).astype(np.uint8)


def values(crops: torch.Tensor) -> NDArray[np.int64]:
    """The crops as whole numbers [B, S, S, 3]."""
    return (crops * 255).round().permute(0, 2, 3, 1).long().numpy()


@settings(deadline=None, max_examples=60)
@given(
    heights=st.lists(st.integers(SIZE, 30), min_size=1, max_size=3),
    width=st.integers(SIZE, 30),
    draws=st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=DRAWS, max_size=DRAWS),
)
def test_a_crop_is_a_piece_of_a_photograph(heights: list[int], width: int, draws: list[float]) -> None:
    images = [picture(height, width, number) for number, height in enumerate(heights)]
    photographs = Photographs(images, SIZE, scales=(1.0,))
    crop = values(photographs.crops(torch.tensor([draws])))[0]
    if draws[3] >= 0.5:
        crop = crop[::-1]
    if draws[4] >= 0.5:
        crop = crop[:, ::-1]
    top, left, number = crop[0, 0]
    np.testing.assert_array_equal(crop, images[number][top : top + SIZE, left : left + SIZE])


def test_every_position_is_drawn_and_the_borders_are_reached() -> None:
    photographs = Photographs([picture(SIZE + 2, SIZE + 1)], SIZE, scales=(1.0,))
    crops = values(photographs.crops(batch_draws(0, 0, 1, 600, DRAWS)[0]))
    corners = crops.reshape(600, -1, 3).min(1)[:, :2]
    found, counts = np.unique(corners, axis=0, return_counts=True)
    assert found.tolist() == [[row, column] for row in range(3) for column in range(2)]
    assert counts.min() > 60


@pytest.mark.parametrize("room", [1, 2, 3, 4, 5, 9, 127, 128, 129, 199])
def test_the_largest_draw_stays_inside(room: int) -> None:
    photographs = Photographs([picture(SIZE, SIZE + room - 1)] * 3, SIZE, scales=(1.0,))
    last = torch.full((1, DRAWS), float(np.nextafter(np.float32(1), np.float32(0))))
    last[:, 3:] = 0
    assert values(photographs.crops(last))[0, -1, -1].tolist()[:2] == [SIZE - 1, SIZE + room - 2]


def test_scales_that_are_too_small_are_left_out() -> None:
    photographs = Photographs([picture(16, 20), picture(9, 9)], SIZE, scales=(1.0, 0.5, 0.4))
    assert len(photographs) == 3  # 16 x 20 whole and at half its size, 9 x 9 whole


def test_photographs_smaller_than_the_crop_are_refused() -> None:
    with pytest.raises(ValueError, match=r"None of 1 photographs is as large as a crop of 8 x 8"):
        Photographs([picture(7, 30)], SIZE)


def test_crops_are_float_from_0_to_1_in_channels_last() -> None:
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    crops = Photographs([image], SIZE).crops(batch_draws(0, 0, 1, 2, DRAWS)[0])
    assert crops.dtype == torch.float32 and crops.shape == (2, 3, SIZE, SIZE)
    assert crops.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(crops, torch.ones_like(crops))


def test_draws_depend_on_the_number_of_the_batch_alone() -> None:
    whole = batch_draws(3, 0, 6, 4, DRAWS)
    assert torch.equal(whole[2:5], batch_draws(3, 2, 3, 4, DRAWS))
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(whole, batch_draws(4, 0, 6, 4, DRAWS))
    assert whole.min() >= 0 and whole.max() < 1
