"""The integers that probabilities are made of when coding: made once, on export, and kept in the model's file."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.grouped_coder import SymbolTable
from law_rl.compression.bitstream.range_coder import PRECISION

LEVELS = 64
"""Scales of the latents: 0.11 to 256 in steps of equal ratio."""

PHASES = 16
"""Means are multiples of 1/16."""

CUT_BITS = 18
"""Symbols outside of which less than 2^-18 lies have no place in a table."""

LEAST_ESCAPE = 1 << (PRECISION - 15)
"""The least count of an escape, 2^-15: no noticeable rate, and a symbol without a place costs about 24 bits."""

TAIL_BITS, TAIL_STEPS = 30, 256
SCALE_BITS = 24
EXPONENTIAL_BITS = 20

_LEAST_INVERSE_BITS, _MOST_INVERSE_BITS = 16, 40


@dataclass(frozen=True, kw_only=True, eq=False)
class LatentTables:
    """All integers of a model's probabilities. Raises ValueError where they do not fit together.

    tails               round(2^30 Phi(-i / 256)) for i = 0, 1 ... up to the first 0, int32
    inverse_scales      round(2^24 (256 / 16) / scale) of each of the 64 scales, int64: what turns a distance in
                        sixteenths into a place among the tails
    exponentials        round(2^20 exp(-i / 16)) for i = 0, 1 ... up to the first 0, int32
    prior_firsts, prior_sizes  int32 [N]: of each channel of z the least symbol of its table, and the table's length
    prior_counts        int32: these tables one after the other, each ending with its escape's count
    """

    tails: NDArray[np.int32]
    inverse_scales: NDArray[np.int64]
    exponentials: NDArray[np.int32]
    prior_firsts: NDArray[np.int32]
    prior_sizes: NDArray[np.int32]
    prior_counts: NDArray[np.int32]

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ValueError(f"the tables of probabilities do not fit together ({problem}): export the model again")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The reverse of `arrays`; ValueError for missing, foreign or unfit ones."""
        names = {field.name for field in fields(cls)}
        if set(arrays) != names:
            raise ValueError(f"the tables are {', '.join(sorted(arrays)) or 'missing'}: export the model again")
        return cls(**arrays)

    def prior_tables(self) -> list[SymbolTable]:
        """Those of the N channels of z."""
        parts = np.split(self.prior_counts, np.cumsum(self.prior_sizes)[:-1])
        return [
            SymbolTable(first=int(first), counts=part) for first, part in zip(self.prior_firsts, parts, strict=True)
        ]

    def _problem(self) -> str:
        for name, array in self.arrays().items():
            wanted = np.int64 if name == "inverse_scales" else np.int32
            if array.dtype != wanted or array.ndim != 1 or not len(array):
                return f"{name} is {array.dtype} {array.shape}"
        first, last = self.inverse_scales[[0, -1]]
        if len(self.inverse_scales) != LEVELS or (np.diff(self.inverse_scales) >= 0).any():
            return "inverse_scales does not fall over 64 levels"
        if first > 1 << _MOST_INVERSE_BITS or last < 1 << _LEAST_INVERSE_BITS:
            return f"inverse_scales goes from {first} to {last}"
        for name, top in (("tails", 1 << (TAIL_BITS - 1)), ("exponentials", 1 << EXPONENTIAL_BITS)):
            array = self.arrays()[name]
            if array[0] != top or array[-1] != 0 or (np.diff(array) > 0).any():
                return f"{name} does not fall from {top} to 0"
        if len(self.prior_sizes) != len(self.prior_firsts) or (self.prior_sizes < 2).any():
            return "prior_sizes does not fit prior_firsts"
        if self.prior_sizes.sum(dtype=np.int64) != len(self.prior_counts) or (self.prior_counts < 1).any():
            return "prior_counts does not fit prior_sizes"
        sums = np.add.reduceat(self.prior_counts.astype(np.int64), np.cumsum(self.prior_sizes) - self.prior_sizes)
        return "" if (sums == 1 << PRECISION).all() else "prior_counts does not add up to 2^24"
