"""What of a project goes to a cluster, packed as one zip file: no runs, no data, and the package law_rl beside it."""

import os
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import law_rl

STAY_HERE = ("runs", "data")
"""Folders of the project's root that stay here: results, and data that the cluster has for itself."""
LARGEST_NAMED = 5
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold: equal files make equal packages

Files = Mapping[str, Path]
"""Files by the path, with slashes, that they get on the cluster."""


def choose_files(root: Path) -> dict[str, Path]:
    """The files of the project at `root` that a run on a cluster may need, and those of law_rl itself.

    In a git checkout: what git tracks or would, as .gitignore says. Elsewhere: all but hidden folders, virtual
    environments and __pycache__. Never `runs` and `data`; links to folders are not followed.
    """
    root = root.resolve()
    names = _names_of_git(root) or list(_names_on_disk(root))
    files = {name: root / name for name in names if name.split("/")[0] not in STAY_HERE}
    if "law_rl/__init__.py" not in files:
        package = Path(law_rl.__file__).parent
        files |= {f"law_rl/{name}": package / name for name in _names_on_disk(package) if not _is_template(name)}
    return dict(sorted(files.items()))


def _names_of_git(root: Path) -> list[str]:
    """What git would keep of `root`; nothing outside a checkout, or where git ignores the project itself."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    names = {name for entry in listed.split(b"\0") if entry for name in _inside(root, os.fsdecode(entry).rstrip("/"))}
    return sorted(names) if any(name.startswith("experiments/") for name in names) else []


def _inside(root: Path, name: str) -> Iterator[str]:
    """A file that git lists, or the files of a checkout within the checkout, which git lists as one folder."""
    path = root / name
    if path.is_file():
        yield name
    elif path.is_dir() and not path.is_symlink():
        yield from (f"{name}/{inner}" for inner in _names_on_disk(path))


def _names_on_disk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name != "__pycache__" and not (here / name / "pyvenv.cfg").exists()
        )
        yield from ((here / name).relative_to(root).as_posix() for name in sorted(names) if (here / name).is_file())


def _is_template(name: str) -> bool:
    """Whether a file of the installed package is part of what `law-rl new` lays out."""
    return name.startswith("template/")


def total_size(files: Files) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in files.values())


def check_size(files: Files, limit: int) -> None:
    """ValueError where the files hold more than `limit` bytes; it names the largest files and folders."""
    size = total_size(files)
    if size <= limit:
        return
    sizes: Counter[str] = Counter()
    for name, path in files.items():
        parts = name.split("/")
        sizes["/".join(parts[:2]) + ("/" if len(parts) > 2 else "")] += path.stat().st_size
    largest = ", ".join(f"{name} {mebibytes(bytes_)}" for name, bytes_ in sizes.most_common(LARGEST_NAMED))
    raise ValueError(
        f"the project holds {mebibytes(size)}, more than {mebibytes(limit)} ({largest}): move what the run does not "
        "need to data/ or runs/, name it in .gitignore in a git checkout, or give a larger --limit"
    )


def mebibytes(size: int) -> str:
    """A number of bytes for people: 0.3 MiB."""
    return f"{size / 2**20:.1f} MiB"


def write_package(files: Files, path: Path) -> None:
    """Writes the files to a zip file; equal files give equal bytes, so that a cluster keeps one copy."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if os.access(source, os.X_OK) else 0o644) << 16
            archive.writestr(entry, source.read_bytes())
