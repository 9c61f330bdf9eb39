"""Codes whole latents whose channels have a fixed distribution each: hyper-latents, and the motion of videos."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.grouped_coder import GroupedCoder, SymbolTable
from law_rl.compression.bitstream.hyper_parameters import LARGEST_HYPER_LATENT
from law_rl.compression.bitstream.range_coder import CodingError, RangeCoder, Symbols

Shape = tuple[int, int, int]


class PriorCoder:
    """Codes symbols [C, h, w] with one table a channel, magnitudes up to 1024."""

    def __init__(self, tables: Sequence[SymbolTable]) -> None:
        self._coder = GroupedCoder(tables)

    def symbols(self, latents: NDArray[np.float32]) -> Symbols:
        """Latents rounded and cut to magnitudes up to 1024; ValueError where they are not finite."""
        return whole(latents, LARGEST_HYPER_LATENT)

    def code(self, coder: RangeCoder, shape: Shape, symbols: Symbols | None) -> Symbols:
        """The symbols [C, h, w], which a decoder does not have; CodingError where its bytes cannot be theirs."""
        channels = np.repeat(np.arange(shape[0], dtype=np.uint16), math.prod(shape[1:]))
        found = self._coder.code(coder, channels, None if symbols is None else symbols.reshape(-1))
        if np.abs(found).max() > LARGEST_HYPER_LATENT:
            raise CodingError("a hyper-latent is larger than any encoder writes")
        return found.reshape(shape)


def whole(values: NDArray[np.float32], largest: int) -> Symbols:
    """Values rounded and cut to magnitudes up to `largest`; ValueError where they are not finite."""
    if not np.isfinite(values).all():
        raise ValueError("the network gives latents that are not finite: use another model, or precision float32")
    return np.rint(values).clip(-largest, largest).astype(np.int32)
