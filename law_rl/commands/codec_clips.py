"""Which clips a verb of the video codec measures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from law_rl.compression.video.sources import VIDEOS, frame_files


def clips_of(named: Sequence[Path]) -> list[Path]:
    """The clips that are named, each once: files, folders with pictures in them, and of other folders all clips that
    are in and under them, in the order of their paths; names that begin with a dot are passed over.

    Raises ValueError where nothing is named, FileNotFoundError for what is not there and for folders without a clip.
    """
    if not named:
        raise ValueError("no clip is named: give folders of pictures, videos, or folders of such")
    return list(dict.fromkeys(clip for path in named for clip in _clips_at(path)))


def _clips_at(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"There is no clip {path}: check its name")
    if not path.is_dir():
        return [path]
    clips = list(_clips_in(path))
    if not clips:
        raise FileNotFoundError(f"{path} holds no pictures and no {' or '.join(sorted(VIDEOS))}: name another folder")
    return clips


def _clips_in(folder: Path) -> Iterator[Path]:
    if frame_files(folder):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _clips_in(path)
        elif path.suffix.lower() in VIDEOS:
            yield path
