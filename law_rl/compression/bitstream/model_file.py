"""The model of an image codec: its network, tables and provenance in one file."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from law_rl.compression.bitstream.hyper_parameters import FixedPointDecoder
from law_rl.compression.bitstream.network_file import NetworkFile
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class CodecModel(NetworkFile[CodecConfig, CodecNetwork]):
    """An image codec, see `NetworkFile`; the known answer is the hyper-decoder's for symbols from -6 to 6."""

    FORMAT: ClassVar[str] = "law-rl codec"
    KIND: ClassVar[str] = "codec model"

    @classmethod
    def config_of(cls, values: Mapping[str, Any]) -> CodecConfig:
        """As `NetworkFile` has it."""
        return CodecConfig(**values)

    @classmethod
    def build(cls, config: CodecConfig) -> CodecNetwork:
        """As `NetworkFile` has it."""
        return CodecNetwork(config)

    @classmethod
    def channels(cls, config: CodecConfig) -> int:
        """Those of the hyper-latents."""
        return config.width

    @classmethod
    def cdf(cls, network: CodecNetwork, values: Tensor) -> Tensor:
        """That of the hyper-latents."""
        return copy.deepcopy(network.prior).double().cdf(values)

    @classmethod
    def answer(cls, network: CodecNetwork) -> int:
        """The CRC32 of the parameters that the hyper-decoder gives."""
        size = 2 * network.config.width
        symbols = (np.arange(size, dtype=np.int32) * 37 % 13 - 6).reshape(network.config.width, 1, 2)
        return FixedPointDecoder(network.hyper_decoder, network.config.components)(symbols).crc()
