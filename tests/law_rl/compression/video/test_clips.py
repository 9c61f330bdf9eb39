"""Sets of clips hold what they say, and pieces of footage are pieces of it."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from law_rl.compression.video.clip import Clip
from law_rl.compression.video.clips import ClipSet, footage_clips, joined


def clip_set(count: int = 2, *, frames: int = 3, size: int = 4, flows: bool = True) -> ClipSet:
    return ClipSet(
        frames=torch.full((count, frames, 3, size, size), count, dtype=torch.uint8),
        flows=torch.full((count, frames - 1, 2, size, size), count, dtype=torch.float16) if flows else None,
    )


def footage(number: int, length: int, height: int, width: int, *, counted: bool = True) -> Clip:
    """A clip whose colours are (10 times its number + the frame's, the row, the column)."""

    def read(first: int, last: int | None) -> Iterator[NDArray[np.uint8]]:
        rows, columns = np.mgrid[:height, :width]
        for time in range(first, length if last is None else last):
            yield np.stack([np.full_like(rows, 10 * number + time), rows, columns], 2).astype(np.uint8)

    return Clip(
        name=f"clip {number}",
        width=width,
        height=height,
        frames=length if counted else None,
        rate=Fraction(25),
        read=read,
    )


def test_a_piece_is_a_piece_of_one_clip_in_space_and_time() -> None:
    clips = [footage(1, 5, 8, 9), footage(2, 4, 12, 8, counted=False)]
    pieces = footage_clips(clips, count=40, frames=3, size=6, seed=0)
    assert pieces.frames.shape == (40, 3, 3, 6, 6) and pieces.flows is None
    for piece in pieces.frames.int():
        times, rows, columns = piece.unbind(1)
        number, start = divmod(int(times[0, 0, 0]), 10)
        clip = clips[number - 1]
        assert start + 3 <= sum(1 for _ in clip)
        assert rows[0, 5, 0] < clip.height and columns[0, 0, 5] < clip.width
        assert torch.equal(times - 10 * number - start, torch.arange(3)[:, None, None].expand(3, 6, 6))
        assert torch.equal(rows - rows[0, 0, 0], torch.arange(6)[:, None].expand(3, 6, 6))
        assert torch.equal(columns - columns[0, 0, 0], torch.arange(6).expand(3, 6, 6))


def test_every_clip_place_and_time_is_drawn() -> None:
    pieces = footage_clips([footage(1, 3, 5, 6), footage(2, 4, 4, 5)], count=400, frames=3, size=4, seed=1)
    corners, counts = np.unique(pieces.frames[:, 0, :, 0, 0].numpy(), axis=0, return_counts=True)
    first = [[10, row, column] for row in range(2) for column in range(3)]
    second = [[20 + time, 0, column] for time in range(2) for column in range(2)]
    assert corners.tolist() == first + second
    assert counts[:6].min() > 15 and counts[6:].min() > 25


def test_a_piece_depends_on_its_number_and_the_seed_alone() -> None:
    clips = [footage(1, 9, 30, 30), footage(2, 9, 30, 30)]
    many = footage_clips(clips, count=7, frames=2, size=4, seed=3)
    assert torch.equal(footage_clips(clips, count=3, frames=2, size=4, seed=3).frames, many.frames[:3])
    assert not torch.equal(footage_clips(clips, count=7, frames=2, size=4, seed=4).frames, many.frames)


def test_clips_that_are_too_small_or_too_short_are_left_out() -> None:
    clips = [footage(1, 9, 3, 9), footage(2, 1, 9, 9), footage(3, 2, 4, 4)]
    pieces = footage_clips(clips, count=20, frames=2, size=4, seed=0)
    assert (pieces.frames[:, :, 0] // 10 == 3).all()
    with pytest.raises(ValueError, match="None of 2 clips has 2 frames of 4 x 4 pixels at least: ask for shorter"):
        footage_clips(clips[:2], count=1, frames=2, size=4, seed=0)


def test_a_set_has_a_length_and_moves_to_a_device() -> None:
    clips = clip_set(3)
    moved = clips.to("meta")
    assert len(clips) == 3
    assert moved.frames.is_meta and moved.flows is not None and moved.flows.is_meta
    assert clip_set(flows=False).to("cpu").flows is None


def test_the_hash_tells_frames_flows_and_shapes_apart() -> None:
    kinds = [clip_set(), clip_set(flows=False), clip_set(3), clip_set(2, frames=4)]
    for part in ("frames", "flows"):
        changed = clip_set()
        getattr(changed, part)[1, 1, 1, 3, 3] = 9
        kinds.append(changed)
    hashes = {clips.content_hash for clips in kinds}
    assert len(hashes) == len(kinds) and all(len(bytes.fromhex(text)) == 8 for text in hashes)
    assert clip_set().content_hash in hashes


def test_joined_sets_keep_their_order_and_their_flows_where_all_are_known() -> None:
    whole = joined([clip_set(2), clip_set(1)])
    assert whole.flows is not None
    assert whole.frames[:, 0, 0, 0, 0].tolist() == whole.flows[:, 0, 0, 0, 0].tolist() == [2, 2, 1]
    mixed = joined([clip_set(1), clip_set(2, flows=False)])
    assert len(mixed) == 3 and mixed.flows is None


@pytest.mark.parametrize("sets", [[], [clip_set(), clip_set(size=5)], [clip_set(), clip_set(frames=4)]])
def test_sets_of_other_lengths_or_sizes_are_not_joined(sets: list[ClipSet]) -> None:
    with pytest.raises(ValueError, match="give sets of one length and size, and one at least"):
        joined(sets)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 3, 1, 4, 4), (2, 3, 3, 4, 5)])
def test_frames_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"frames is uint8 \[2, 3, .*\]: give uint8 frames"):
        ClipSet(frames=torch.zeros(shape, dtype=torch.uint8), flows=None)


def test_other_types_and_flows_that_do_not_match_are_refused() -> None:
    frames = torch.zeros(2, 3, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"frames is float32 \[2, 3, 3, 4, 4\]"):
        ClipSet(frames=frames.float(), flows=None)
    with pytest.raises(ValueError, match=r"flows is float16 \[2, 3, 2, 4, 4\]: give float16 flows \[2, 2, 2, 4, 4\]"):
        ClipSet(frames=frames, flows=torch.zeros(2, 3, 2, 4, 4, dtype=torch.float16))
    with pytest.raises(ValueError, match="flows is float32"):
        ClipSet(frames=frames, flows=torch.zeros(2, 2, 2, 4, 4))
