"""Writing a file of embeddings batch by batch, so that they never have to be in memory together."""

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import torch
from torch import Tensor

from law_rl.face.embedding_file import (
    DTYPES,
    EMBEDDINGS,
    ENDS,
    FORMAT,
    IDENTITIES,
    IDENTITY_NAMES,
    IMAGE_NAMES,
    KEY,
    VERSION,
)

HEADER = 4096
"""Bytes kept for the header, which is known last; the JSON is filled up with spaces, as safetensors allows."""
LONGEST_HASH = 128


class EmbeddingWriter:
    """A context manager: `append` batches within it; where it ends well, the whole file is at `path`, else nothing new.

    Embeddings are float16 or float32 [N, `width`]. `network` is the hash of the network that makes them,
    `identity_names` the names of identities 0, 1, ... if there are any. Only the owner can read and write the file
    (mode 0600), as embeddings of faces are personal data. The file is valid safetensors: the tensor `embeddings`,
    `identities` int64 [N] where given, and names as `embedding_file.ENDS` says.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        width: int,
        dtype: torch.dtype = torch.float16,
        network: str = "",
        identity_names: Sequence[str] = (),
    ) -> None:
        if width < 1:
            raise ValueError(f"width is {width}: give the number of entries of an embedding, at least 1")
        if dtype not in DTYPES.values():
            raise ValueError(f"dtype is {dtype}: write embeddings as torch.float16 or torch.float32")
        if len(network) > LONGEST_HASH:
            raise ValueError(f"network has {len(network)} characters: give a hash of at most {LONGEST_HASH}")
        self._path, self._width, self._dtype, self._network = Path(path), width, dtype, network
        self._image_names, self._identity_names = _Names(), _Names()
        self._identity_names.extend(identity_names)
        self._identities = array("q")
        self._count = 0
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary.unlink(missing_ok=True)
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._file.seek(HEADER)
        return self

    def append(
        self, embeddings: Tensor, *, names: Sequence[str] | None = None, identities: Tensor | None = None
    ) -> None:
        """Adds embeddings [B, D], on any device and of any length, with their images' names and identities int64 [B].

        Raises ValueError for other shapes, numbers that are not finite in the file's dtype, and identities below 0 or
        without a name.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self._width:
            raise ValueError(f"embeddings are {tuple(embeddings.shape)} and {self._path} takes [B, {self._width}]")
        rows = embeddings.detach().to(dtype=self._dtype).cpu().contiguous()
        if not rows.isfinite().all():
            raise ValueError(f"embeddings for {self._path} are not finite in {self._dtype}: the network has diverged")
        if names is not None:
            _check_batch("names", len(names), len(rows))
            self._image_names.extend(names)
        if identities is not None:
            _check_batch("identities", len(identities), len(rows))
            self._identities.extend(self._checked(identities))
        self._write(rows.numpy().data)
        self._count += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._file:
                if kind is None:
                    self._finish()
            if kind is None:
                self._temporary.replace(self._path)
        except OSError as failure:
            raise OSError(failure.errno, failure.strerror, str(self._path)) from failure
        finally:
            self._temporary.unlink(missing_ok=True)

    def _checked(self, identities: Tensor) -> list[int]:
        named = len(self._identity_names.ends)
        if identities.dtype != torch.int64 or (len(identities) and int(identities.amin()) < 0):
            raise ValueError(f"identities for {self._path} are {identities.dtype}, or below 0: give int64 from 0")
        if named and len(identities) and int(identities.amax()) >= named:
            raise ValueError(f"identity {int(identities.amax())} for {self._path} has no name: {named} were given")
        found: list[int] = identities.tolist()
        return found

    def _finish(self) -> None:
        if self._count == 0:
            raise ValueError(f"no embeddings were given for {self._path}: append at least one")
        kind = next(name for name, dtype in DTYPES.items() if dtype == self._dtype)
        header: dict[str, object] = {
            "__metadata__": {KEY: json.dumps({"format": FORMAT, "version": VERSION, "network": self._network})},
        }
        end = self._count * self._width * self._dtype.itemsize
        header[EMBEDDINGS] = {"dtype": kind, "shape": [self._count, self._width], "data_offsets": [0, end]}
        for name, values in self._parts():
            start, end = end, end + values.nbytes
            self._write(values)
            kind = "I64" if values.format == "q" else "U8"
            header[name] = {"dtype": kind, "shape": [len(values)], "data_offsets": [start, end]}
        text = json.dumps(header).encode().ljust(HEADER - 8)
        self._file.seek(0)
        self._file.write(len(text).to_bytes(8, "little") + text)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write(self, values: memoryview) -> None:
        try:
            self._file.write(values)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def _parts(self) -> Iterator[tuple[str, memoryview]]:
        """What lies behind the embeddings. ValueError where only some of them have a name or an identity."""
        for name, values in ((IDENTITIES, self._identities), (IMAGE_NAMES, self._image_names.ends)):
            if len(values) not in (0, self._count):
                raise ValueError(
                    f"{len(values)} of {self._count} embeddings for {self._path} have {name}: give them for all or none"
                )
        if self._identities:
            yield IDENTITIES, memoryview(self._identities)
        for name, names in ((IMAGE_NAMES, self._image_names), (IDENTITY_NAMES, self._identity_names)):
            if names.ends:
                yield name, memoryview(names.text)
                yield name + ENDS, memoryview(names.ends)


class _Names:
    """Names as UTF-8, one after the other, and where each ends."""

    def __init__(self) -> None:
        self.text = bytearray()
        self.ends = array("q")

    def extend(self, names: Sequence[str]) -> None:
        for name in names:
            self.text += name.encode()
            self.ends.append(len(self.text))


def _check_batch(name: str, count: int, rows: int) -> None:
    if count != rows:
        raise ValueError(f"{name} are {count} for {rows} embeddings: give one for each")
