"""Latents and hyper-latents to bytes and back, for one image: all that has to be alike on both sides."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from law_rl.compression.bitstream.escapes import LARGEST
from law_rl.compression.bitstream.gaussian_tables import residual_tables
from law_rl.compression.bitstream.grouped_coder import GroupedCoder
from law_rl.compression.bitstream.hyper_parameters import FixedPointDecoder, IntegerParameters
from law_rl.compression.bitstream.mixture_coder import MixtureCoder
from law_rl.compression.bitstream.prior_coder import PriorCoder, Shape, whole
from law_rl.compression.bitstream.range_coder import RangeCoder, RangeDecoder, RangeEncoder, Symbols
from law_rl.compression.bitstream.tables import PHASES, LatentTables


class LatentCoder:
    """Codes z [N, h, w] under the prior, then y [M, 4h, 4w] under the mixtures that z gives.

    Raises ValueError for a hyper-decoder that cannot be run in whole numbers (see `FixedPointDecoder`).
    """

    def __init__(self, hyper_decoder: nn.Sequential, components: int, tables: LatentTables) -> None:
        self._decoder = FixedPointDecoder(hyper_decoder, components)
        self.prior = PriorCoder(tables.prior_tables())
        self._grouped = GroupedCoder(residual_tables(tables)) if components == 1 else None
        self._mixture = MixtureCoder(tables) if components > 1 else None

    def encode_hyper_latents(self, hyper_latents: NDArray[np.float32]) -> tuple[bytes, Symbols]:
        """The bytes of z [N, h, w] and its symbols [N, h, w], z rounded and cut to magnitudes up to 1024.

        Raises ValueError where z is not finite.
        """
        symbols, encoder = self.prior.symbols(hyper_latents), RangeEncoder()
        self.prior.code(encoder, symbols.shape, symbols)
        return encoder.content(), symbols

    def decode_hyper_latents(self, content: bytes, shape: Shape) -> Symbols:
        """The symbols of z; CodingError where the bytes cannot be theirs."""
        return self.prior.code(RangeDecoder(content), shape, None)

    def parameters(self, hyper_latents: Symbols) -> IntegerParameters:
        """The parameters of y's probabilities, from the symbols of z."""
        return self._decoder(hyper_latents)

    def symbols(self, latents: NDArray[np.float32], parameters: IntegerParameters) -> Symbols:
        """The symbols [n] of y [M, 4h, 4w]; ValueError where y is not finite."""
        values = latents.reshape(-1)
        return whole(values if self._grouped is None else values - _means(parameters), LARGEST)

    def encode_latents(self, latents: NDArray[np.float32], parameters: IntegerParameters) -> tuple[bytes, Symbols]:
        """The bytes of y [M, 4h, 4w] and its symbols [n]; ValueError where y is not finite."""
        symbols, encoder = self.symbols(latents, parameters), RangeEncoder()
        self.code(encoder, parameters, symbols)
        return encoder.content(), symbols

    def decode_latents(self, content: bytes, parameters: IntegerParameters) -> Symbols:
        """The symbols of y [n]; CodingError where the bytes cannot be theirs."""
        return self.code(RangeDecoder(content), parameters, None)

    def quantised(self, symbols: Symbols, parameters: IntegerParameters) -> NDArray[np.float32]:
        """The quantised y [n] that the symbols stand for."""
        values = symbols.astype(np.float32)
        return values if self._grouped is None else values + _means(parameters)

    def code(self, coder: RangeCoder, parameters: IntegerParameters, symbols: Symbols | None) -> Symbols:
        """The symbols of y [n], which a decoder does not have; CodingError where its bytes cannot be theirs."""
        if self._grouped is not None:
            return self._grouped.code(coder, parameters.levels[0], symbols)
        assert self._mixture is not None
        return self._mixture.code(coder, parameters, symbols)


def _means(parameters: IntegerParameters) -> NDArray[np.float32]:
    means: NDArray[np.float32] = parameters.means[0].astype(np.float32) * np.float32(1 / PHASES)
    return means
