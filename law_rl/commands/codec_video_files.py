"""Which file a verb of the video codec reads, and which one it writes."""

from collections.abc import Callable, Sequence
from pathlib import Path

from law_rl.commands.codec_files import Job

EDICV = ".edicv"


def encoding_job(named: Sequence[Path], *, overwrite: bool) -> Job:
    """The clip and the file to write, by default clip.edicv beside clip.mp4 or beside the folder clip.

    Raises ValueError for another number of names, another ending, and for a file that exists unless it is to
    `overwrite`; FileNotFoundError where there is no such clip.
    """
    job = _job(
        named,
        lambda clip: clip.with_name(clip.name + EDICV) if clip.is_dir() else clip.with_suffix(EDICV),
        overwrite=overwrite,
    )
    if job.target.suffix.lower() != EDICV:
        raise ValueError(f"{job.target} is no name for a compressed clip: end it in {EDICV}")
    return job


def decoding_job(named: Sequence[Path], *, overwrite: bool) -> Job:
    """The file and the clip to write, by default a folder beside it, which may be there if it is empty.

    Raises as `encoding_job` does, but for no ending.
    """
    return _job(named, lambda file: file.with_suffix(""), overwrite=overwrite)


def _job(named: Sequence[Path], beside: Callable[[Path], Path], *, overwrite: bool) -> Job:
    if not 1 <= len(named) <= 2:
        raise ValueError(f"{len(named)} names are given: give what to read, and what to write or nothing")
    source = named[0]
    if not source.exists():
        raise FileNotFoundError(f"There is no {source}: check its name")
    target = named[1] if len(named) == 2 else beside(source if source.name not in ("", "..") else source.resolve())
    if target.exists() and target.samefile(source):
        raise ValueError(f"{source} would be written over itself: give another name")
    if target.exists() and not overwrite and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(f"{target} exists: give --overwrite to write over it, or another name")
    return Job(source=source, target=target)
