"""Raw video in .y4m files (YUV4MPEG2), 8 bits: a line of text, then luma and chroma planes frame by frame."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from law_rl.compression.video.clip import Clip, Frame
from law_rl.compression.video.colour import FULL, LIMITED, Levels, Plane, from_rgb, to_rgb, usual_matrix

MAGIC, FRAME = b"YUV4MPEG2", b"FRAME"
LONGEST_LINE = 4096
WHOLE = (1, 1)
CHROMA: Mapping[str, tuple[int, int] | None] = {
    **dict.fromkeys(("420", "420jpeg", "420mpeg2", "420paldv"), (2, 2)),
    "422": (1, 2),
    "444": WHOLE,
    "mono": None,
}
"""Pixels under a chroma sample, down and across; None without chroma."""


@dataclass(frozen=True, kw_only=True)
class Y4mHeader:
    """What the first line says; `chroma` is a value of CHROMA."""

    width: int
    height: int
    rate: Fraction | None
    chroma: tuple[int, int] | None
    levels: Levels

    @property
    def chroma_shape(self) -> tuple[int, int]:
        down, across = self.chroma or WHOLE
        return -(-self.height // down), -(-self.width // across)

    @property
    def frame_bytes(self) -> int:
        rows, columns = self.chroma_shape
        return self.width * self.height + (2 * rows * columns if self.chroma else 0)

    def rgb(self, content: bytes) -> Frame:
        """The frame uint8 [H, W, 3] of its planes' bytes; each chroma sample stands for all pixels under it, wherever
        among them it was taken, and the matrix is that of `usual_matrix`.
        """
        samples = np.frombuffer(content, np.uint8)
        area, (rows, columns) = self.width * self.height, self.chroma_shape
        luma, matrix = samples[:area].reshape(self.height, self.width), usual_matrix(self.height)
        if self.chroma is None:
            grey = np.full_like(luma, 128)
            return to_rgb(luma, grey, grey, matrix, self.levels)
        blue, red = samples[area:].reshape(2, rows, columns).repeat(self.chroma[0], 1).repeat(self.chroma[1], 2)
        inside = (slice(self.height), slice(self.width))
        return to_rgb(luma, blue[inside], red[inside], matrix, self.levels)


def open_y4m(path: Path) -> Clip:
    """The clip of a .y4m file: 4:2:0 of any siting, 4:2:2, 4:4:4 or grey, limited levels unless it says
    XCOLORRANGE=FULL; the shape of pixels is not heeded.

    Raises FileNotFoundError, and ValueError for other contents, interlaced or deeper video, and a file that ends inside
    a frame.
    """
    with _opened(path) as file:
        header = parse_header(file.readline(LONGEST_LINE), path)
        offsets = list(_offsets(file, header, path))
    if not offsets:
        raise ValueError(f"{path} holds no frame: copy the file again")

    def read(first: int, last: int | None) -> Iterator[Frame]:
        with _opened(path) as file:
            for index, offset in list(enumerate(offsets))[first:last]:
                file.seek(offset)
                content = file.read(header.frame_bytes)
                if len(content) < header.frame_bytes:
                    raise _ends_inside(path, index)
                yield header.rgb(content)

    return Clip(
        name=path.name, width=header.width, height=header.height, frames=len(offsets), rate=header.rate, read=read
    )


def parse_header(line: bytes, path: Path) -> Y4mHeader:
    """The first line of the file at `path`; ValueError for what is no such line, and for what `open_y4m` refuses."""
    words = line.decode("latin-1").split()
    if not line.endswith(b"\n") or words[:1] != [MAGIC.decode()]:
        raise ValueError(f"{path} is no .y4m file: its first line has to begin with {MAGIC.decode()}")
    tags = {word[0]: word[1:] for word in words[1:] if word[0] != "X"}
    colours, scan = tags.get("C", "420"), tags.get("I", "?")
    if colours not in CHROMA:
        raise ValueError(f"{path} holds {colours}: convert it to 8 bits of one of {', '.join(CHROMA)}")
    if scan not in ("p", "?"):
        raise ValueError(f"{path} is interlaced (I{scan}): deinterlace it first")
    try:
        width, height = (int(tags.get(side, "0")) for side in "WH")
        numerator, denominator = map(int, tags.get("F", "0:0").split(":"))
    except ValueError as error:
        raise ValueError(f"{path} has a damaged first line ({error}): write it anew") from error
    if width < 1 or height < 1:
        raise ValueError(f"{path} has frames of {width} x {height}: give a file whose W and H are 1 or more")
    return Y4mHeader(
        width=width,
        height=height,
        rate=Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else None,
        chroma=CHROMA[colours],
        levels=FULL if "XCOLORRANGE=FULL" in words else LIMITED,
    )


def _offsets(file: BinaryIO, header: Y4mHeader, path: Path) -> Iterator[int]:
    """Where each frame's planes begin."""
    size, index = path.stat().st_size, 0
    while line := file.readline(LONGEST_LINE):
        if not line.endswith(b"\n") or line.split()[:1] != [FRAME]:
            raise ValueError(f"{path} is damaged before frame {index}: copy the file again")
        offset = file.tell()
        if offset + header.frame_bytes > size:
            raise _ends_inside(path, index)
        yield offset
        file.seek(offset + header.frame_bytes)
        index += 1


def _ends_inside(path: Path, index: int) -> ValueError:
    return ValueError(f"{path} ends inside frame {index}: copy the file again")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no clip at {path}: check its name") from None


@contextmanager
def y4m_writer(path: Path, width: int, height: int, rate: Fraction | None) -> Iterator[Callable[[Frame], None]]:
    """A function that adds a frame uint8 [H, W, 3] to a new file: 4:4:4, limited, by the matrix of `usual_matrix`."""
    numerator, denominator = (0, 0) if rate is None else rate.as_integer_ratio()
    with path.open("wb") as file:
        file.write(MAGIC + f" W{width} H{height} F{numerator}:{denominator} Ip A1:1 C444\n".encode())

        def write(frame: Frame) -> None:
            planes: tuple[Plane, ...] = from_rgb(frame, usual_matrix(height), LIMITED)
            file.write(FRAME + b"\n" + b"".join(plane.tobytes() for plane in planes))

        yield write
        file.flush()
        os.fsync(file.fileno())
