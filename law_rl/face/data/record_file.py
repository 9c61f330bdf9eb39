"""The bytes of an MXNet RecordIO file: where its records are, their headers, and their contents."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

MAGIC = 0xCED7230A
WHOLE, FIRST, MIDDLE, LAST = range(4)
"""What a part is of its record, in the three highest bits of its length."""

PREFIX, HEADER, LABEL = 8, 24, 4
"""Bytes of the magic number with the length, of the header after it, and of one label after that."""

_LENGTH_BITS = 29
_HEAD = np.dtype(
    [
        ("magic", "<u4"),
        ("length", "<u4"),
        ("labels", "<u4"),
        ("label", "<f4"),
        ("numbers", "<u8", (2,)),
        ("first", "<f4"),
    ]
)
_BLOCK = 1 << 16


class RecordFile:
    """The records of a .rec file in ascending order of their keys int64 [R], memory-mapped; safe for several threads.

    A record is a magic number, a word with its length, and its bytes, padded to 4; one that contains the magic number
    was cut there into several parts. The keys and places are in the .idx file of the same name, lines of "key place";
    without it the records are found one after the other and numbered from 0. Raises FileNotFoundError for a missing
    file, ValueError for a damaged one: at once where the index is wrong, else where the damage is met.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"The records {path} do not exist: give the path of a .rec file")
        if path.stat().st_size < PREFIX:
            raise ValueError(f"{path} holds no record: copy the file again")
        self.path = path
        self._bytes = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
        self._view = self._bytes.data
        index = path.with_suffix(".idx")
        self.keys, self._places = _read_index(index, len(self._bytes)) if index.is_file() else self._scan()

    def content(self, position: int) -> bytes:
        """Header, labels and image of the record with that position among the keys."""
        parts = self._parts(int(self._places[position]), self.name(position))
        return MAGIC.to_bytes(4, "little").join(part for part, _ in parts)

    def labels(self, positions: range) -> tuple[np.ndarray, np.ndarray]:
        """The first label of each record, float32 [P], and how many labels are listed after its header, int64 [P].

        A record with 0 listed has its label in the header.
        """
        blocks = [positions[start : start + _BLOCK] for start in range(0, len(positions), _BLOCK)]
        heads = np.concatenate([self._heads(block) for block in blocks])
        listed = heads["labels"].astype(np.int64)
        return np.where(listed > 0, heads["first"], heads["label"]), listed

    def name(self, position: int) -> str:
        """What errors call a record."""
        return f"record {self.keys[position]} of {self.path}"

    def _heads(self, positions: range) -> np.ndarray:
        """What the first part of each record starts with; all are checked to be in the file."""
        places = self._places[positions.start : positions.stop]
        spots = np.minimum(places[:, None] + np.arange(_HEAD.itemsize), len(self._bytes) - 1)
        heads: np.ndarray = self._bytes[spots].view(_HEAD)[:, 0]
        length = (heads["length"] & (2**_LENGTH_BITS - 1)).astype(np.int64)
        sound = (
            (heads["magic"] == MAGIC)
            & (heads["length"] >> _LENGTH_BITS <= FIRST)
            & (length >= HEADER + LABEL * heads["labels"].astype(np.int64))
            & (places + PREFIX + length <= len(self._bytes))
        )
        if not sound.all():
            wrong = positions[int(sound.argmin())]
            raise ValueError(f"The {self.name(wrong)} is damaged: copy the file and its .idx again")
        return heads

    def _parts(self, place: int, name: str) -> Iterator[tuple[memoryview, int]]:
        """The bytes of each part of the record at `place`, and where the next part starts."""
        expected = (WHOLE, FIRST)
        while True:
            word, length = (int.from_bytes(self._view[place + at : place + at + 4], "little") for at in (0, 4))
            kind, length = length >> _LENGTH_BITS, length & (2**_LENGTH_BITS - 1)
            start, end = place + PREFIX, place + PREFIX + length
            if word != MAGIC or kind not in expected or end > len(self._bytes):
                raise ValueError(f"The {name} is damaged: copy the file and its .idx again")
            place = -(-end // 4) * 4
            yield self._view[start:end], place
            if kind in (WHOLE, LAST):
                return
            expected = (MIDDLE, LAST)

    def _scan(self) -> tuple[np.ndarray, np.ndarray]:
        places, place = [], 0
        while place < len(self._bytes):
            places.append(place)
            *_, (_, place) = self._parts(place, f"record {len(places) - 1} of {self.path}")
        return np.arange(len(places)), np.array(places, dtype=np.int64)


def _read_index(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys in ascending order and the places of their records, int64 [R] each."""
    with path.open("rb") as file:
        if not file.read(64).strip():
            raise ValueError(f"{path} lists no record: copy the file again, or remove it to have the records searched")
    try:
        table = np.loadtxt(path, dtype=np.int64, ndmin=2, comments=None)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}): write a key and a place on each line") from error
    if table.shape[1] != 2:
        raise ValueError(f"{path} has {table.shape[1]} columns: write a key and a place on each line")
    keys, places = table[np.argsort(table[:, 0], kind="stable")].T.copy()
    if keys[0] < 0 or places.min() < 0 or places.max() > size - PREFIX:
        raise ValueError(
            f"{path} lists a record outside the {size} bytes of the .rec file: copy both files again, they belong "
            "together"
        )
    if (np.diff(keys) == 0).any() or len(np.unique(places)) < len(places):
        raise ValueError(f"{path} lists a key or a place twice: copy the file again")
    return keys, places
