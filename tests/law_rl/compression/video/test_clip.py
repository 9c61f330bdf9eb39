"""Clips and their cuts."""

from collections.abc import Iterator

import numpy as np
import pytest

from law_rl.compression.video.clip import Clip, Frame


def numbered(frames: int | None) -> Clip:
    """Five frames whose pixels are their number; `frames` is what the clip says."""

    def read(first: int, last: int | None) -> Iterator[Frame]:
        return (np.full((2, 3, 3), index, np.uint8) for index in range(5)[first:last])

    return Clip(name="x", width=3, height=2, frames=frames, rate=None, read=read)


def numbers(clip: Clip) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in clip]


@pytest.mark.parametrize("frames", [5, None])
def test_cuts_hold_the_frames_between(frames: int | None) -> None:
    clip = numbered(frames)
    assert numbers(clip) == numbers(clip) == [0, 1, 2, 3, 4]
    assert numbers(clip.cut(1, 4)) == [1, 2, 3] and clip.cut(1, 4).frames == 3
    assert numbers(clip.cut(2, None)) == [2, 3, 4]
    assert clip.cut(2, None).frames == (None if frames is None else 3)


def test_cuts_of_cuts_begin_where_the_first_does() -> None:
    once = numbered(5).cut(1, 4)
    assert numbers(once.cut(1, None)) == [2, 3] and numbers(once.cut(1, 2)) == [2]
    assert numbers(numbered(None).cut(1, None).cut(1, None)) == [2, 3, 4]


@pytest.mark.parametrize("cut", [(-1, 2), (2, 2), (3, 1), (0, 6), (5, None), (1, -1)])
def test_frames_that_are_not_there_are_refused(cut: tuple[int, int | None]) -> None:
    with pytest.raises(ValueError, match=r"the cut of x is \[.*it has 5 frames: give frames inside"):
        numbered(5).cut(*cut)


def test_a_cut_of_a_cut_stays_inside() -> None:
    with pytest.raises(ValueError, match="it has 3 frames"):
        numbered(5).cut(1, 4).cut(0, 4)


def test_unknown_lengths_still_refuse_cuts_backwards() -> None:
    with pytest.raises(ValueError, match="a number of frames that is not known"):
        numbered(None).cut(3, 2)
