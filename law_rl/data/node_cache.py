"""Decoded data in memory once per node: the first process to need it writes a file, which all processes map.

On where the environment variable LAW_RL_NODE_CACHE names a folder, best a local one that does not outlive the run.
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import law_rl
from law_rl.data.places import NODE_CACHE

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """What one file holds: tensors that share no memory with one another, and texts."""

    tensors: dict[str, torch.Tensor]
    texts: dict[str, str]


def cache_folder() -> Path | None:
    """The node's folder for decoded data; None where each process is to decode for itself."""
    named = os.environ.get(NODE_CACHE, "")
    return Path(named).expanduser() if named else None


def cache_key(subject: object, sources: Iterable[Path]) -> str:
    """Hexadecimal sha256 over law-rl's version, the subject's repr, and path, size and time of change of its sources.

    A file changed, added or taken away gives another key; sources that are not there count for nothing.
    """
    digest = hashlib.sha256(repr((law_rl.__version__, subject)).encode())
    for path in sources:
        with contextlib.suppress(OSError):
            status = path.stat()
            digest.update(repr((os.fspath(path), status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()


def load_once(folder: Path, key: str, build: Callable[[], Content]) -> Content:
    """What `build` returns, from the file of this key in `folder`, mapped copy-on-write: its pages are shared.

    Where there is no whole file yet, one process calls `build` and writes it while the others wait; should that one
    die, the next takes its place. Where the folder cannot be written to, warns and calls `build` in every process.
    """
    path = folder / f"{key}.safetensors"
    found = _map(path)
    if found is not None:
        return found
    with contextlib.ExitStack() as stack:
        try:
            import fcntl  # not on Windows

            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / f"{key}.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        except (ImportError, OSError) as error:
            _warn(folder, error)
            return build()
        return _map(path) or _write(path, build())


def _map(path: Path) -> Content | None:
    """The file's content, read only as it is used; None where it is missing or cut short."""
    try:
        with safe_open(path, framework="pt") as file:
            names, texts = file.keys(), file.metadata() or {}
            return Content(tensors={name: file.get_tensor(name) for name in names}, texts=texts)
    except (OSError, SafetensorError):
        return None


def _write(path: Path, content: Content) -> Content:
    """The content as mapped from the file that it was written to; where that fails, as it is in this process."""
    temporary = path.with_suffix(".tmp")
    try:
        save_file(content.tensors, temporary, metadata=content.texts)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        _warn(path.parent, error)
        with contextlib.suppress(OSError):
            temporary.unlink()
        return content
    return _map(path) or content


def _warn(folder: Path, error: Exception) -> None:
    _logger.warning(
        "%s of %s cannot be used (%s): each process keeps the data for itself; free space there or name another folder",
        NODE_CACHE,
        folder,
        error,
    )
