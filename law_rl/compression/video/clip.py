"""A clip: frames that are read one after the other, never all at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
ReadFrames = Callable[[int, int | None], Iterator[Frame]]
"""The frames from the first index up to, not including, the last; None: to the end of what there is."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames uint8 [H, W, 3], RGB. Each iteration reads them anew, from the first on.

    `frames` is their number, None where the file does not say; `rate` is in frames per second, None likewise. `read` is
    what iterations call: it raises ValueError where a frame is damaged, of another size, or missing.
    """

    name: str
    width: int
    height: int
    frames: int | None
    rate: Fraction | None
    read: ReadFrames

    def __iter__(self) -> Iterator[Frame]:
        return self.read(0, self.frames)

    def cut(self, first: int, last: int | None) -> "Clip":
        """The frames [first, last), to the end where `last` is None; ValueError for frames that are not there."""
        end = self.frames if last is None else last
        if first < 0 or (end is not None and first >= end) or (self.frames is not None and (end or 0) > self.frames):
            there = "a number of frames that is not known" if self.frames is None else f"{self.frames} frames"
            raise ValueError(f"the cut of {self.name} is [{first}, {last}), it has {there}: give frames inside")
        return replace(
            self,
            frames=None if end is None else end - first,
            read=lambda begin, stop: self.read(first + begin, end if stop is None else first + stop),
        )
