"""Files that survive a kill: trees of tensors and plain values in one safetensors file, written whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

_TENSOR, _TEXT = "tensor:", "text:"  # the latter marks strings that begin like one of the two


def write_atomic(path: Path, content: bytes, *, private: bool = False) -> None:
    """Writes `content` to `path` as `atomic_file` does."""
    with atomic_file(path, private=private) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write under a temporary name, which is flushed to the disk and takes its place at the end.

    Of a `private` file only the owner can read and write (mode 0600), from the first byte on. Raises as `renamed` does.
    """
    opener = partial(os.open, mode=0o600 if private else 0o666)
    with renamed(path) as temporary, open(temporary, "wb", opener=opener) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """A name beside `path` for a file or a folder that takes its place at the end, a folder that of an empty one or of
    none. Where the block raises, what was at `path` stays and the new one goes; an OSError that names the new one or
    nothing (a full disk) names `path` instead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            path.rmdir()
        temporary.replace(path)
    except BaseException as error:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON; ValueError for NaN and infinities, which JSON has no word for."""
    write_atomic(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return _TENSOR + name
    if isinstance(value, str) and value.startswith((_TENSOR, _TEXT)):
        return _TEXT + value
    if isinstance(value, Mapping):
        return {str(key): _pack(entry, tensors) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(entry, tensors) for entry in value]
    return value


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, str) and value.startswith(_TENSOR):
        return tensors[value.removeprefix(_TENSOR)]
    if isinstance(value, str) and value.startswith(_TEXT):
        return value.removeprefix(_TEXT)
    if isinstance(value, dict):
        return {key: _unpack(entry, tensors) for key, entry in value.items()}
    if isinstance(value, list):
        return [_unpack(entry, tensors) for entry in value]
    return value


def save_tree(path: Path, tree: Mapping[str, Any]) -> None:
    """Writes a tree (dicts with string keys, lists, tensors, numbers, strings, None) as one safetensors file."""
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_pack(tree, tensors))
    write_atomic(path, save_tensors(tensors, {"tree": structure}))


def load_tree(path: Path) -> dict[str, Any]:
    """The tree that `save_tree` wrote; lists come back as lists. ValueError with the path if the file is damaged."""
    content = path.read_bytes()
    try:
        tensors = load_tensors(content)
        tree = _unpack(json.loads(read_metadata(content)["tree"]), tensors)
        if not isinstance(tree, dict):
            raise ValueError("its tree is not a table of names")
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is damaged or not a file of law-rl ({error}): delete it, or restore a copy"
        ) from error
    return tree


def read_metadata(content: bytes) -> dict[str, str]:
    """The string metadata of a safetensors file's bytes, {} where it has none; ValueError where the header is
    broken.
    """
    if len(content) < 8:
        raise ValueError("the file ends before its header")
    length = int.from_bytes(content[:8], "little")
    if length > len(content) - 8:
        raise ValueError("the file ends inside its header")
    header = json.loads(content[8 : 8 + length])
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("the header is not a table of names")
    return metadata
