"""The model of predicted frames in one file. It names the image codec that codes first frames, and needs it beside."""

import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from law_rl.compression.bitstream.fixed_point import fixed_point
from law_rl.compression.bitstream.grid import to_grid, to_pixels
from law_rl.compression.bitstream.hyper_parameters import FixedPointDecoder
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.bitstream.network_file import NetworkFile
from law_rl.compression.network.codec_network import HYPER_STRIDE, LATENT_STRIDE, CodecConfig
from law_rl.compression.shipped import model_of_hash
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.video_network import VideoConfig, VideoNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoModel(NetworkFile[VideoConfig, VideoNetwork]):
    """The network of predicted frames, see `NetworkFile`; tables of the residual's hyper-latents, then of the motion.

    `intra` is the hash of the model of first frames; the known answer is that of hyper-decoder and pixels for fixed
    symbols.
    """

    FORMAT: ClassVar[str] = "law-rl video codec"
    KIND: ClassVar[str] = "video model"

    intra: bytes

    @classmethod
    def config_of(cls, values: Mapping[str, Any]) -> VideoConfig:
        """As `NetworkFile` has it."""
        flow, residual = dict(values["flow"]), values["residual"]
        flow["channels"] = tuple(flow["channels"])
        return VideoConfig(**{**values, "flow": FlowConfig(**flow), "residual": CodecConfig(**residual)})

    @classmethod
    def build(cls, config: VideoConfig) -> VideoNetwork:
        """As `NetworkFile` has it."""
        return VideoNetwork(config)

    @classmethod
    def channels(cls, config: VideoConfig) -> int:
        """Those of the hyper-latents and of the motion."""
        return config.residual.width + VideoNetwork(config).motion.channels

    @classmethod
    def cdf(cls, network: VideoNetwork, values: Tensor) -> Tensor:
        """Those of the hyper-latents, then those of the motion."""
        priors = copy.deepcopy([network.residual.prior, network.motion.prior])
        return torch.cat([prior.double().cdf(values) for prior in priors], 1)

    @classmethod
    def answer(cls, network: VideoNetwork) -> int:
        """The CRC32 of the residual's parameters and of the pixels of a frame."""
        config = network.config.residual
        hyper = _symbols(config.width, 1)
        crc = FixedPointDecoder(network.residual.hyper_decoder, config.components)(hyper).crc()
        exact = fixed_point(network)
        assert isinstance(exact, VideoNetwork)
        places = torch.arange(3 * HYPER_STRIDE**2).view(1, 3, HYPER_STRIDE, HYPER_STRIDE)
        motion = _symbols(network.motion.channels, HYPER_STRIDE // network.motion.stride)
        latents = _symbols(config.latents, HYPER_STRIDE // LATENT_STRIDE)
        with torch.inference_mode():
            prediction = exact.predict(to_grid(places * 37 % 256 / 255), _double(motion))
            pixels = to_pixels(exact.reconstruct(prediction, _double(latents)))
        return zlib.crc32(pixels.numpy().tobytes(), crc)

    def intra_model(self, beside: Path | None = None) -> CodecModel:
        """The model of first frames: that of the file `beside`, or else of those that ship.

        Raises FileNotFoundError where none has the hash, ValueError where the one given has another.
        """
        try:
            model = CodecModel.load(model_of_hash(self.intra) if beside is None else beside)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{error} of first frames, with --intra on the command line") from error
        if model.hash != self.intra:
            raise ValueError(
                f"{beside} is {model.hash.hex()}, the video model goes with {self.intra.hex()}: give that one"
            )
        return model

    def _own_head(self) -> dict[str, Any]:
        return {"intra": self.intra.hex()}

    @classmethod
    def _own_fields(cls, head: Mapping[str, Any]) -> dict[str, Any]:
        return {"intra": bytes.fromhex(head["intra"])}


def _symbols(channels: int, side: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Whole numbers from -6 to 6, int32 [channels, side, side]."""
    return (np.arange(channels * side * side, dtype=np.int32) * 37 % 13 - 6).reshape(channels, side, side)


def _double(symbols: np.ndarray[Any, np.dtype[np.int32]]) -> Tensor:
    return torch.from_numpy(symbols).double()[None]
