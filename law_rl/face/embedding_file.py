"""Embeddings of many images in one memory-mapped safetensors file: a gallery, or what a teacher made of a data set."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

KEY = "law_rl"
"""The entry of the file's metadata that holds, as JSON, the kind of the file and the network's hash."""

FORMAT, VERSION = "law-rl embeddings", 1

EMBEDDINGS, IDENTITIES = "embeddings", "identities"
IMAGE_NAMES, IDENTITY_NAMES = "image_names", "identity_names"
ENDS = "_ends"
"""Names lie in a tensor too, as UTF-8 one after the other; its neighbour of this ending says where each one ends. So
the header stays short, and a name is found without reading the others.
"""
DTYPES = {"F16": torch.float16, "F32": torch.float32}


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingFile:
    """An open file of N embeddings of D entries; `network` is the hash of the network that made them.

    Nothing is read before it is asked for. Embeddings of faces are personal data: see `EmbeddingWriter` on who can
    read the file.
    """

    path: Path
    width: int
    dtype: torch.dtype
    network: str
    has_identities: bool
    has_image_names: bool
    identity_count: int | None
    """Of how many identities it has the names; None: it has no such names."""
    _count: int
    _tensors: Any

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Opens a file of `EmbeddingWriter`.

        Raises FileNotFoundError where there is none, and ValueError, one sentence, for a truncated, foreign or newer
        one, and for one whose parts do not fit together.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there are no embeddings at {path}: give the path of a file of embeddings")
        try:
            tensors: Any = safe_open(path, framework="pt")
            head = json.loads((tensors.metadata() or {}).get(KEY, "null"))
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged or no safetensors file ({error}): restore a copy") from error
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ValueError(f"{path} is a file of another kind: give a file of embeddings")
        if head.get("version") != VERSION:
            raise ValueError(
                f"{path} has embeddings version {head.get('version')}, this law-rl reads {VERSION}: upgrade"
            )
        shapes = {name: _described(tensors, name) for name in tensors.keys()}  # noqa: SIM118 (it is no dictionary)
        if problem := _problem(shapes, head):
            raise ValueError(f"{path} is no file of embeddings that fits together ({problem}): write it again")
        kind, (count, width) = shapes[EMBEDDINGS]
        return cls(
            path=path,
            width=width,
            dtype=DTYPES[kind],
            network=head["network"],
            has_identities=IDENTITIES in shapes,
            has_image_names=IMAGE_NAMES in shapes,
            identity_count=shapes[IDENTITY_NAMES + ENDS][1][0] if IDENTITY_NAMES in shapes else None,
            _count=count,
            _tensors=tensors,
        )

    def __len__(self) -> int:
        return self._count

    def rows(self, start: int, stop: int) -> Tensor:
        """Embeddings [stop - start, D] in the file's dtype, not copied from the mapped file: do not write into them.

        Raises IndexError for rows that are not there, and ValueError where one of these holds a number that is not
        finite.
        """
        if not 0 <= start <= stop <= self._count:
            raise IndexError(f"rows {start} to {stop} are not in {self.path}: it has {self._count}")
        found: Tensor = self._tensors.get_slice(EMBEDDINGS)[start:stop]
        if len(found) and not torch.stack(found.aminmax()).isfinite().all():
            raise ValueError(
                f"{self.path} holds numbers that are not finite in rows {start} to {stop}: make it again with a "
                "network that has not diverged"
            )
        return found

    def identities(self) -> Tensor:
        """The identity of each row, int64 [N]; ValueError where the file has none, or one that it cannot have."""
        if not self.has_identities:
            raise ValueError(f"{self.path} has no identities: write them with the embeddings")
        found: Tensor = self._tensors.get_tensor(IDENTITIES)
        if int(found.amin()) < 0 or (self.identity_count is not None and int(found.amax()) >= self.identity_count):
            raise ValueError(f"{self.path} is damaged, it has an identity below 0 or without a name: restore a copy")
        return found

    def image_names(self, rows: Sequence[int]) -> list[str]:
        """The names of the images of these rows; ValueError where the file has none or they are damaged."""
        return self._names(IMAGE_NAMES, rows)

    def identity_names(self, identities: Sequence[int]) -> list[str]:
        """The names of these identities; ValueError where the file has none or they are damaged."""
        return self._names(IDENTITY_NAMES, identities)

    def _names(self, tensor: str, numbers: Sequence[int]) -> list[str]:
        if tensor not in self._tensors.keys():  # noqa: SIM118
            raise ValueError(f"{self.path} has no {tensor}: write them with the embeddings")
        text, ends = self._tensors.get_slice(tensor), self._tensors.get_slice(tensor + ENDS)
        count, size = ends.get_shape()[0], text.get_shape()[0]
        names = []
        for number in numbers:
            if not 0 <= number < count:
                raise IndexError(f"{number} is not among the {count} {tensor} of {self.path}")
            start, end = [0, *ends[max(0, number - 1) : number + 1].tolist()][-2:]
            if not 0 <= start <= end <= size:
                raise ValueError(f"{self.path} is damaged, {tensor} {number} lies outside of the names: restore a copy")
            names.append(_decoded(self.path, bytes(text[start:end].tolist())))
        return names


def _decoded(path: Path, name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged, {name!r} is no name in UTF-8: restore a copy") from error


def _described(tensors: Any, name: str) -> tuple[str, tuple[int, ...]]:
    part = tensors.get_slice(name)
    return part.get_dtype(), tuple(part.get_shape())


def _problem(shapes: dict[str, tuple[str, tuple[int, ...]]], head: dict[str, Any]) -> str:
    """What does not fit among the tensors' dtypes and shapes; '' where all does."""
    if not isinstance(head.get("network"), str):
        return "it does not name its network"
    kind, shape = shapes.get(EMBEDDINGS, ("", ()))
    if kind not in DTYPES or len(shape) != 2 or min(shape) < 1:
        return f"its embeddings are {kind or 'missing'} {shape}"
    wanted: dict[str, tuple[str, int | None]] = {IDENTITIES: ("I64", shape[0])}
    for names, count in ((IMAGE_NAMES, shape[0]), (IDENTITY_NAMES, None)):
        if (names in shapes) != (names + ENDS in shapes):
            return f"its {names} are not whole"
        wanted |= {names: ("U8", None), names + ENDS: ("I64", count)}
    for name, (kind, sizes) in shapes.items():
        if name == EMBEDDINGS:
            continue
        if name not in wanted:
            return f"it holds {name}"
        dtype, length = wanted[name]
        if kind != dtype or len(sizes) != 1 or (length is not None and sizes[0] != length):
            return f"its {name} are {kind} {sizes}"
    return ""
