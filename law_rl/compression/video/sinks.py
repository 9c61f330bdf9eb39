"""Frames into files: a folder of pictures, raw video, or lossless video, whole or not at all."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from law_rl.compression.pictures import write_picture
from law_rl.compression.video.clip import Frame
from law_rl.compression.video.pyav import lossless_writer
from law_rl.compression.video.y4m import y4m_writer
from law_rl.files import renamed

WriteFrame = Callable[[Frame], None]
WriteOrMiss = Callable[[Frame | None], None]
Stream = Callable[[Path, int, int, Fraction | None], AbstractContextManager[WriteFrame]]


@dataclass(kw_only=True)
class ClipWriter:
    """Takes the frames of a clip, one after the other; `frames` counts those that were not missing."""

    width: int
    height: int
    add: WriteOrMiss
    frames: int = 0

    def write(self, frame: Frame) -> None:
        """Adds a frame uint8 [H, W, 3]; ValueError for another shape or dtype."""
        if frame.dtype != np.uint8 or frame.shape != (self.height, self.width, 3):
            expected = (self.height, self.width, 3)
            raise ValueError(f"the frame is {frame.dtype} {frame.shape}: give uint8 {expected}, as the clip began with")
        self.add(frame)
        self.frames += 1

    def miss(self, count: int) -> None:
        """Says that so many frames are missing here: folders leave their numbers out, other clips repeat the frame
        before them, or the first that there is.
        """
        for _ in range(count):
            self.add(None)


@contextmanager
def clip_writer(
    path: Path, width: int, height: int, rate: Fraction | None, *, first: int = 0, overwrite: bool = False
) -> Iterator[ClipWriter]:
    """Writes a clip; it is at `path` once the block has ended without an error, and nothing is left otherwise.

    No ending: a folder of 000000.png, 000001.png, ..., from the number `first` on; every pixel is kept. `.mkv`: FFV1 in
    RGB through PyAV, lossless too, at 25 frames per second where `rate` is None. `.y4m`: 4:4:4 of 8 bits, which moves a
    colour by up to 2. Raises ValueError for other endings, a clip without frames, and where something is there already;
    where it is to `overwrite`, only for a folder that holds anything but such pictures. ModuleNotFoundError without
    PyAV.
    """
    _check_target(path, overwrite=overwrite)
    stream = STREAMS.get(path.suffix.lower())
    with renamed(path) as temporary:
        with _pictures(temporary, first) if stream is None else _filled(stream(temporary, width, height, rate)) as add:
            yield (writer := ClipWriter(width=width, height=height, add=add))
            if not writer.frames:
                raise ValueError(f"{path} would hold no frame: write one at least")
        for old in filter(_is_frame, path.iterdir() if path.is_dir() else ()):
            old.unlink()


def _check_target(path: Path, *, overwrite: bool) -> None:
    if path.suffix and path.suffix.lower() not in STREAMS:
        raise ValueError(
            f"{path} is no name for a clip: end it in .mkv or .y4m, or in nothing for a folder of pictures"
        )
    if not path.exists() or (path.is_dir() and not path.suffix and not any(path.iterdir())):
        return
    if not overwrite:
        raise ValueError(f"{path} exists: write over it, remove it or give another name")
    ours = path.is_file() if path.suffix else path.is_dir() and all(map(_is_frame, path.iterdir()))
    if not ours:
        raise ValueError(f"{path} is or holds something else than a clip's frames: remove it or give another name")


def _is_frame(path: Path) -> bool:
    return path.is_file() and re.fullmatch(r"[0-9]{6,}\.png", path.name) is not None


@contextmanager
def _pictures(folder: Path, first: int) -> Iterator[WriteOrMiss]:
    folder.mkdir()
    number = first

    def write(frame: Frame | None) -> None:
        nonlocal number
        if frame is not None:
            write_picture(folder / f"{number:06d}.png", frame)
        number += 1

    yield write


@contextmanager
def _filled(stream: AbstractContextManager[WriteFrame]) -> Iterator[WriteOrMiss]:
    """Missing frames are copies of the one before, or of the first."""
    last: Frame | None = None
    early = 0

    with stream as add:

        def write(frame: Frame | None) -> None:
            nonlocal last, early
            last = last if frame is None else frame
            if last is None:
                early += 1
                return
            for _ in range(early + 1):
                add(last)
            early = 0

        yield write


STREAMS: Mapping[str, Stream] = {".y4m": y4m_writer, ".mkv": lossless_writer}
