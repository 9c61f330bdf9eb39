"""Sets of equally long square clips to train on, and random pieces of real footage as such a set."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.video.clip import Clip
from law_rl.counters import numpy_generator


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipSet:
    """N clips: `frames` uint8 [N, T, 3, S, S], and the true `flows` float16 [N, T - 1, 2, S, S] where they are known.

    `flows[:, t]` leads back from frame t + 1 to frame t, in pixels, x before y: what lies at p in the later frame lies
    at p + flow(p) in the earlier one. Raises ValueError where shapes or types are others.
    """

    frames: Tensor
    flows: Tensor | None

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if self.frames.dtype != torch.uint8 or len(shape) != 5 or shape[2] != 3 or shape[3] != shape[4]:
            raise ValueError(f"frames is {_described(self.frames)}: give uint8 frames [N, T, 3, S, S].")
        expected = (shape[0], shape[1] - 1, 2, *shape[3:])
        if self.flows is not None and (self.flows.dtype != torch.float16 or self.flows.shape != expected):
            raise ValueError(f"flows is {_described(self.flows)}: give float16 flows {list(expected)}, or None.")

    def __len__(self) -> int:
        return len(self.frames)

    def to(self, device: str | torch.device) -> "ClipSet":
        """The same clips on `device`."""
        flows = self.flows if self.flows is None else self.flows.to(device)
        return ClipSet(frames=self.frames.to(device), flows=flows)

    @cached_property
    def content_hash(self) -> str:
        """A hash of every frame and flow, 16 hexadecimal digits, that tells sets apart; equal on every device."""
        digest = hashlib.sha256()
        for part in (self.frames, self.flows):
            if part is not None:
                digest.update(f"{tuple(part.shape)};".encode())
                digest.update(part.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def joined(sets: Sequence[ClipSet]) -> ClipSet:
    """All clips of the sets in their order; flows are known only where every set knows its own.

    Raises ValueError where the clips of two sets differ in length or size.
    """
    kinds = {tuple(clips.frames.shape[1:]) for clips in sets}
    if len(kinds) != 1:
        raise ValueError(f"The sets hold clips of {sorted(kinds)}: give sets of one length and size, and one at least.")
    flows = [clips.flows for clips in sets if clips.flows is not None]
    return ClipSet(
        frames=torch.cat([clips.frames for clips in sets]),
        flows=torch.cat(flows) if len(flows) == len(sets) else None,
    )


def footage_clips(clips: Sequence[Clip], *, count: int, frames: int, size: int, seed: int) -> ClipSet:
    """`count` pieces of real clips, `frames` frames long and `size` pixels square, from counters; no flows.

    Each piece comes from any of the clips that are large and long enough, and from any place and time in it, equally
    often. A clip is read frame by frame, once; twice where its length is not known. Piece i depends on `seed`, i and
    the clips alone. Raises ValueError where no clip is large and long enough, and what the clips raise.
    """
    lengths = {n: _length(clip) for n, clip in enumerate(clips) if min(clip.width, clip.height) >= size}
    usable = [n for n, length in lengths.items() if length >= frames]
    if not usable:
        raise ValueError(
            f"None of {len(clips)} clips has {frames} frames of {size} x {size} pixels at least: ask for shorter or "
            "smaller pieces, or give longer or larger clips."
        )
    pieces: dict[int, list[_Piece]] = defaultdict(list)
    for number in range(count):
        generator = numpy_generator(seed, "footage clip", number)
        chosen = usable[generator.integers(len(usable))]
        room = np.array([lengths[chosen] - frames, clips[chosen].height - size, clips[chosen].width - size])
        start, top, left = generator.integers(room + 1).tolist()
        pieces[chosen].append(_Piece(number=number, start=start, top=top, left=left))
    cut = np.empty((count, frames, size, size, 3), np.uint8)
    for chosen, wanted in pieces.items():
        _cut(clips[chosen], wanted, cut)
    return ClipSet(frames=torch.from_numpy(cut).permute(0, 1, 4, 2, 3).contiguous(), flows=None)


@dataclass(frozen=True, kw_only=True)
class _Piece:
    number: int
    start: int
    top: int
    left: int


def _length(clip: Clip) -> int:
    return sum(1 for _ in clip) if clip.frames is None else clip.frames


def _cut(clip: Clip, pieces: Sequence[_Piece], out: NDArray[np.uint8]) -> None:
    """Writes the pieces of one clip to `out` [N, T, S, S, 3] in one pass over its frames."""
    frames, size = out.shape[1:3]
    for time, frame in enumerate(clip):
        for piece in pieces:
            if 0 <= time - piece.start < frames:
                rows, columns = slice(piece.top, piece.top + size), slice(piece.left, piece.left + size)
                out[piece.number, time - piece.start] = frame[rows, columns]


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
