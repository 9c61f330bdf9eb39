"""Clips as files: a folder of pictures, raw video, or whatever PyAV decodes."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from law_rl.compression.pictures import ENDINGS, read_picture
from law_rl.compression.video.clip import Clip, Frame
from law_rl.compression.video.pyav import open_video
from law_rl.compression.video.y4m import open_y4m

Y4M = ".y4m"
VIDEOS = frozenset({Y4M, ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
"""Endings by which videos are found in folders; `open_clip` takes files of any other that it can read, too."""


def open_clip(path: Path) -> Clip:
    """The clip at `path`: a folder of pictures, a .y4m file, or any other video through PyAV.

    Of a folder, the pictures in it are the frames, in the natural order of their names (2 before 10), grey ones as RGB;
    other files, folders inside and names that begin with a dot are passed over. Raises FileNotFoundError,
    ModuleNotFoundError where PyAV is needed and missing, and ValueError for what cannot be read; iterations raise
    ValueError, with the file's path and the frame, for what turns out to be damaged.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no clip at {path}: check its name")
    return open_y4m(path) if path.suffix.lower() == Y4M else open_video(path)


def frame_files(folder: Path) -> list[Path]:
    """The pictures in a folder that are the frames of its clip, in their order; none where it is no clip."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    return sorted(found, key=_natural)


def _open_folder(folder: Path) -> Clip:
    paths = frame_files(folder)
    if not paths:
        raise ValueError(f"{folder} holds no picture: give a folder of frames ending in {', '.join(sorted(ENDINGS))}")
    height, width = _read_frame(paths[0]).shape[:2]

    def read(first: int, last: int | None) -> Iterator[Frame]:
        for path in paths[first:last]:
            frame = _read_frame(path)
            if frame.shape != (height, width, 3):
                size = f"{frame.shape[1]} x {frame.shape[0]}"
                raise ValueError(f"{path} is {size}, {paths[0].name} {width} x {height}: give frames of one size")
            yield frame

    name = folder.absolute().name
    return Clip(name=name, width=width, height=height, frames=len(paths), rate=None, read=read)


def _read_frame(path: Path) -> Frame:
    pixels = read_picture(path)
    return np.stack([pixels] * 3, 2) if pixels.ndim == 2 else pixels


def _natural(path: Path) -> tuple[list[str | int], str]:
    """A key by which numbers in names count as numbers."""
    parts = re.split(r"(\d+)", path.stem.lower())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name
