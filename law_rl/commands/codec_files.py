"""Which files a batch reads, and which it writes."""

import glob
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EDIC = ".edic"
Existing = Literal["refuse", "overwrite", "skip"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A file to read and the one to write."""

    source: Path
    target: Path


def jobs(
    named: Sequence[Path],
    *,
    reads: Collection[str],
    writes: str,
    targets: Collection[str],
    out: Path | None,
    existing: Existing,
) -> list[Job]:
    """The files of `named` with endings in `reads`, each with a file to write that ends in `writes`.

    The last of two names is the file to write where it has an ending of `targets`. Jobs whose file exists are left out
    where `existing` skips them. Raises ValueError where it refuses them, a file is written twice, or several would go
    into one, and FileNotFoundError where nothing is found.
    """
    *rest, last = _some(named)
    if rest and last.suffix.lower() in targets:
        if len(rest) > 1 or rest[0].is_dir() or out is not None:
            raise ValueError(f"{last} is one file for one other: for several, give --out FOLDER instead")
        (source,) = (path for path, _ in _found(rest[0], reads))
        found = [Job(source=source, target=last)]
    else:
        pairs = [pair for each in named for pair in _found(each, reads)]
        found = [Job(source=source, target=_target(source, inside, out, writes)) for source, inside in pairs]
    _check(found)
    there = {job for job in found if job.target.exists()}
    if there and existing == "refuse":
        first = next(job.target for job in found if job in there)
        others = len(there) - 1
        more = f" and so {'does' if others == 1 else 'do'} {others} more" if others else ""
        raise ValueError(
            f"{first} exists{more}: give --overwrite to write over, --skip-existing to do the others, or another --out"
        )
    return [job for job in found if job not in there] if existing == "skip" else found


def sources(named: Sequence[Path], reads: Collection[str]) -> list[Path]:
    """The files of `named` with endings in `reads`, each once; FileNotFoundError where nothing is found."""
    return list(dict.fromkeys(path for each in _some(named) for path, _ in _found(each, reads)))


def _some(named: Sequence[Path]) -> Sequence[Path]:
    if not named:
        raise ValueError("no file is named: give files, folders or patterns in quotes")
    return named


def _found(named: Path, reads: Collection[str]) -> Iterator[tuple[Path, Path]]:
    """Files, each with its place in the folder that was named."""
    if named.is_dir():
        inside = sorted(path for path in named.rglob("*") if path.suffix.lower() in reads and path.is_file())
        if not inside:
            raise FileNotFoundError(f"{named} holds no {' or '.join(sorted(reads))}: name another folder")
        yield from ((path, path.relative_to(named)) for path in inside)
    elif not named.exists() and glob.has_magic(str(named)):
        matches = sorted(Path(match) for match in glob.glob(str(named), recursive=True))
        matches = [path for path in matches if path.suffix.lower() in reads and path.is_file()]
        if not matches:
            raise FileNotFoundError(f"No {' or '.join(sorted(reads))} fits {named}: try another pattern")
        yield from ((path, Path(path.name)) for path in matches)
    elif named.exists():
        yield named, Path(named.name)
    else:
        raise FileNotFoundError(f"There is no file {named}: check its name")


def _target(source: Path, inside: Path, out: Path | None, writes: str) -> Path:
    return (source if out is None else out / inside).with_suffix(writes)


def _check(found: Sequence[Job]) -> None:
    """ValueError for files that would be lost."""
    first: dict[Path, Path] = {}
    for job in found:
        if first.setdefault(job.target, job.source) != job.source:
            raise ValueError(f"{first[job.target]} and {job.source} would both become {job.target}: rename one")
        if job.target.exists() and job.source.exists() and job.target.samefile(job.source):
            raise ValueError(f"{job.source} would be written over itself: give --out FOLDER, or another name")
