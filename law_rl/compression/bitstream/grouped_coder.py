"""Symbols that share few tables: sorted by table, so that the range coder takes each table's symbols in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.escapes import code_escapes
from law_rl.compression.bitstream.range_coder import RangeCoder, Symbols, coding_table


@dataclass(frozen=True, kw_only=True, eq=False)
class SymbolTable:
    """Integer probabilities of `first`, `first + 1` ..., and last of all others together, the escape.

    `counts` int32 [S] add up to 2^24, each at least 1.
    """

    first: int
    counts: NDArray[np.int32]


class GroupedCoder:
    """Codes symbols each of which has one of G tables."""

    def __init__(self, tables: Sequence[SymbolTable]) -> None:
        self._firsts = np.array([table.first for table in tables], np.int32)
        self._escapes = np.array([len(table.counts) - 1 for table in tables], np.int32)
        self._tables = [coding_table(table.counts) for table in tables]

    def code(self, coder: RangeCoder, groups: NDArray[Any], symbols: Symbols | None) -> Symbols:
        """Codes symbols [n]; `groups` uint8 or uint16 [n] says which table each one has. Raises CodingError."""
        order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups, minlength=len(self._tables))
        firsts, escapes = np.repeat(self._firsts, sizes), np.repeat(self._escapes, sizes)
        values = None if symbols is None else symbols[order]
        places = None if values is None else _places(values - firsts, escapes)
        places = self._code_places(coder, sizes, places)
        found = places + firsts
        escaped = np.flatnonzero(places == escapes)
        found[escaped] = code_escapes(coder, len(escaped), None if values is None else values[escaped])
        result = np.empty_like(found)
        result[order] = found
        return result

    def _code_places(self, coder: RangeCoder, sizes: NDArray[np.int64], places: Symbols | None) -> Symbols:
        result = np.empty(sizes.sum(), np.int32)
        ends = np.cumsum(sizes)
        for group in np.flatnonzero(sizes):
            end, size = int(ends[group]), int(sizes[group])
            part = slice(end - size, end)
            result[part] = coder.table(self._tables[group], size, None if places is None else places[part])
        return result


def _places(offsets: Symbols, escapes: Symbols) -> Symbols:
    return np.where((offsets >= 0) & (offsets < escapes), offsets, escapes)
