"""A run directory as text, to come back from a cluster through a job's log.

`pack` needs only Python's own library: the source of this file is what the helper job on the cluster runs, as
`python -c SOURCE DIRECTORY LIMIT`.
"""

import base64
import hashlib
import io
import re
import shutil
import sys
import tarfile
from pathlib import Path

WIDTH = 4096
_ARCHIVE = re.compile(r"^run archive ([0-9a-f]{64})\n([A-Za-z0-9+/=\n]*)^end of archive$", re.MULTILINE)


def pack(directory: Path, limit: int) -> str:
    """The files of a directory as a compressed tar in base64 between two marks, with its SHA-256.

    ValueError where there is no such directory, or where it holds more than `limit` bytes. Files that vanish meanwhile
    are left out.
    """
    if not directory.is_dir():
        raise ValueError(f"there is no {directory} on this node (yet)")
    buffer, size = io.BytesIO(), 0
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path in sorted(directory.rglob("*")):
            try:
                content = path.read_bytes() if path.is_file() and not path.name.endswith(".tmp") else None
            except FileNotFoundError:
                continue
            if content is None:
                continue
            size += len(content)
            if size > limit:
                raise ValueError(f"{directory} holds more than {limit / 2**20:g} MiB: give a larger --limit")
            entry = tarfile.TarInfo(path.relative_to(directory).as_posix())
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    text = base64.b64encode(buffer.getvalue()).decode()
    lines = "".join(text[start : start + WIDTH] + "\n" for start in range(0, len(text), WIDTH))
    return f"run archive {hashlib.sha256(buffer.getvalue()).hexdigest()}\n{lines}end of archive\n"


def unpack(text: str, destination: Path, limit: int) -> list[Path]:
    """Writes the files of the archive that `text` holds somewhere to a new directory; returns them.

    ValueError where the archive is missing, damaged or larger than `limit` bytes, or where it names files outside its
    directory. The directory appears whole or not at all.
    """
    found = _ARCHIVE.search(text)
    content = base64.b64decode(found[2]) if found else b""
    if found is None or hashlib.sha256(content).hexdigest() != found[1]:
        raise ValueError("the run directory did not come through whole: try again")
    temporary = destination.with_name(f".{destination.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            if sum(entry.size for entry in archive.getmembers()) > limit:
                raise ValueError(f"the run directory is larger than {limit / 2**20:g} MiB: give a larger --limit")
            archive.extractall(temporary, filter="data")
        temporary.rename(destination)
    except tarfile.TarError as error:
        raise ValueError(f"the run directory cannot be unpacked ({error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return sorted(path for path in destination.rglob("*") if path.is_file())


if __name__ == "__main__":
    try:
        sys.stdout.write(pack(Path(sys.argv[1]).expanduser(), int(sys.argv[2])))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
