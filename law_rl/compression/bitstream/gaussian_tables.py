"""Gaussians of 64 scales, in whole numbers: tables of rounded residuals, and cumulative ones in sixteenths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.grouped_coder import SymbolTable
from law_rl.compression.bitstream.range_coder import PRECISION
from law_rl.compression.bitstream.tables import (
    CUT_BITS,
    LEAST_ESCAPE,
    LEVELS,
    PHASES,
    SCALE_BITS,
    TAIL_BITS,
    LatentTables,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class CumulativeTables:
    """Phi(x / scale) at distances x in sixteenths, of all levels in one array.

    It is `values[places[level] + min(max(x, -reaches[level]), reaches[level])]`, float32; beyond the reach, in
    sixteenths, it is 0 or 1. `places` and `reaches` are int32 [64].
    """

    values: NDArray[np.float32]
    places: NDArray[np.int32]
    reaches: NDArray[np.int32]


def residual_tables(tables: LatentTables) -> list[SymbolTable]:
    """Of each level, the integers that a centred Gaussian of its scale rounds to, as far as 2^-18 lies outside."""
    return [_residual_table(tables, level) for level in range(LEVELS)]


def cumulative_tables(tables: LatentTables) -> CumulativeTables:
    """Those of all levels; every step from the model's integers is one of integers, or exact."""
    sides = [_tails(tables, level, 1) for level in range(LEVELS)]
    reaches = np.array([len(side) - 1 for side in sides], np.int32)
    lengths = 2 * reaches.astype(np.int64) + 1
    whole = [np.concatenate((side[::-1], (1 << TAIL_BITS) - side[1:])) for side in sides]
    return CumulativeTables(
        values=np.concatenate(whole).astype(np.float32) * np.float32(2.0**-TAIL_BITS),
        places=(np.cumsum(lengths) - lengths + reaches).astype(np.int32),
        reaches=reaches,
    )


def _residual_table(tables: LatentTables, level: int) -> SymbolTable:
    beyond = _tails(tables, level, PHASES, start=PHASES // 2)
    reach = int((beyond > 1 << (TAIL_BITS - CUT_BITS - 1)).sum())
    side = beyond[:reach] - beyond[1 : reach + 1]
    middle = (1 << TAIL_BITS) - 2 * beyond[0]
    mass = np.concatenate((side[::-1], [middle], side, [2 * beyond[reach]]))
    counts = np.maximum(mass >> (TAIL_BITS - PRECISION), 1)
    counts[-1] = max(counts[-1], LEAST_ESCAPE)
    counts[reach] += (1 << PRECISION) - counts.sum()
    return SymbolTable(first=-reach, counts=counts.astype(np.int32))


def _tails(tables: LatentTables, level: int, step: int, start: int = 0) -> NDArray[np.int64]:
    """2^30 Phi(-x / scale) at x = start, start + step ... sixteenths, up to the first 0; linear between the tails."""
    inverse = int(tables.inverse_scales[level])
    count = ((len(tables.tails) << SCALE_BITS) // inverse - start) // step + 2
    place = (start + step * np.arange(max(count, 1), dtype=np.int64)) * inverse
    index, rest = place >> SCALE_BITS, (place >> (SCALE_BITS - 16)) & 0xFFFF
    tails = np.append(tables.tails.astype(np.int64), [0, 0])
    last = len(tails) - 1
    here, there = tails[np.minimum(index, last)], tails[np.minimum(index + 1, last)]
    values: NDArray[np.int64] = here - ((here - there) * rest >> 16)
    return values[: int(np.argmin(values)) + 1]
