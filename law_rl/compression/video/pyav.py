"""Video files through PyAV (FFmpeg), the extra `video`: any that it decodes, and lossless ones written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from law_rl.compression.video.clip import Clip, Frame
from law_rl.compression.video.colour import HD

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

STRICT = {"err_detect": "explode", "threads": "1"}
"""With several threads, FFmpeg conceals damage that a single one reports."""
BT709, BT601, UNKNOWN = 1, 5, 2
"""Numbers of matrices in H.273."""
USUAL_RATE = Fraction(25)


def check_pyav(purpose: str) -> None:
    """ModuleNotFoundError, one sentence that begins with `purpose`, where PyAV is not installed."""
    if find_spec("av") is None:
        raise ModuleNotFoundError(f"{purpose} needs PyAV: pip install 'law-rl[video]'")


def usual_colorspace(height: int) -> int:
    """The matrix, by its number, of a video that does not name one."""
    return BT709 if height >= HD else BT601


def as_rgb(frame: "av.VideoFrame") -> Frame:
    """The pixels uint8 [H, W, 3] of a decoded frame by its own matrix and range; where it names none, BT.709 from 720
    lines on, BT.601 below, limited. Halved chroma is interpolated by FFmpeg's bicubic filter, its tools' default.
    """
    from av.video.reformatter import Interpolation

    if frame.colorspace == UNKNOWN:
        frame.colorspace = usual_colorspace(frame.height)
    return np.asarray(
        frame.reformat(format="rgb24", interpolation=Interpolation.BICUBIC, threads=1).to_ndarray(), np.uint8
    )


def open_video(path: Path) -> Clip:
    """The clip of the first video stream of a file, turned as the file says.

    Raises FileNotFoundError, ModuleNotFoundError without PyAV, and ValueError for a file without video, interlaced
    video, more than 8 bits a channel, and damage that the decoder notices. Matroska does not say how many frames it
    holds: a file that ends early is a shorter clip.
    """
    check_pyav(f"reading {path.name}")
    with _stream(path) as (container, stream):
        first = next(_decoded(path, container, stream), None)
        if first is None:
            raise ValueError(f"{path} holds no frame: copy the file again")
        if (bits := max(component.bits for component in first.format.components)) > 8:
            raise ValueError(f"{path} has {bits} bits a channel: convert it to 8 bits first")
        if first.interlaced_frame:
            raise ValueError(f"{path} is interlaced: deinterlace it first")
        shown = stream.frames - sum(entry.is_discard for entry in stream.index_entries)
        height, width = _upright(first).shape[:2]
        rate = stream.average_rate or stream.guessed_rate

    def read(begin: int, end: int | None) -> Iterator[Frame]:
        index = begin
        with _stream(path) as (container, stream):
            for frame in islice(_decoded(path, container, stream), begin, end):
                pixels = _upright(frame)
                if pixels.shape != (height, width, 3):
                    raise ValueError(f"{path} changes its size at frame {index}: cut the clip there")
                yield pixels
                index += 1
        if end is not None and index < end:
            raise ValueError(f"{path} ends before frame {index} of {end}: copy the file again, or cut the clip there")

    frames = shown if shown > 0 else None
    return Clip(name=path.name, width=width, height=height, frames=frames, rate=rate, read=read)


@contextmanager
def _stream(path: Path) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """The file, opened, and its first video stream, whose decoder raises on damage where it can find it."""
    import av

    if not path.is_file():
        raise FileNotFoundError(f"There is no clip at {path}: check its name")
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a video ({error.strerror}): check the file") from error
    with container:
        if not container.streams.video:
            raise ValueError(f"{path} holds no video: give another file")
        stream = container.streams.video[0]
        stream.codec_context.options = STRICT
        yield container, stream


def _decoded(path: Path, container: "InputContainer", stream: "VideoStream") -> "Iterator[av.VideoFrame]":
    import av

    index = 0
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise _damaged(path, index, "its decoder says so")
            yield frame
            index += 1
    except av.FFmpegError as error:
        raise _damaged(path, index, error.strerror) from error


def _damaged(path: Path, index: int, why: str | None) -> ValueError:
    return ValueError(f"{path} is damaged at or after frame {index} ({why}): copy the file again, or cut it before")


def _upright(frame: "av.VideoFrame") -> Frame:
    """The pixels, turned by the quarters that the file asks for."""
    return np.ascontiguousarray(np.rot90(as_rgb(frame), round(frame.rotation / 90)))


@contextmanager
def lossless_writer(path: Path, width: int, height: int, rate: Fraction | None) -> Iterator[Callable[[Frame], None]]:
    """A function that adds a frame uint8 [H, W, 3] to a new Matroska file, FFV1 in RGB: every pixel is kept."""
    check_pyav("writing .mkv")
    import av

    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=rate or USUAL_RATE, options={"level": "3", "slicecrc": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"

        def write(frame: Frame) -> None:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))

        yield write
        container.mux(stream.encode(None))
