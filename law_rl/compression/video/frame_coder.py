"""Frames to the bytes of one range coder and back: what is the same on both sides runs exactly, see `fixed_point`."""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.bitstream.fixed_point import fixed_point
from law_rl.compression.bitstream.grid import to_grid, to_pixels
from law_rl.compression.bitstream.latent_coder import LatentCoder
from law_rl.compression.bitstream.prior_coder import PriorCoder
from law_rl.compression.bitstream.range_coder import RangeCoder, RangeDecoder, RangeEncoder
from law_rl.compression.bitstream.tables import LatentTables
from law_rl.compression.network.codec_network import HYPER_STRIDE, LATENT_STRIDE, CodecNetwork
from law_rl.compression.video.network.video_network import VideoNetwork

Place = tuple[int, int]
"""Height and width in pixels, multiples of 64."""


class ImageStream:
    """Hyper-latents and latents of a `CodecNetwork`, in one stream with whatever else a frame has."""

    def __init__(self, network: CodecNetwork, tables: LatentTables) -> None:
        self._config = network.config
        self._network = network
        self._coder = LatentCoder(network.hyper_decoder, network.config.components, tables)

    def encode(self, coder: RangeEncoder, y: Tensor) -> Tensor:
        """Codes latents float32 [1, M, h, w]; gives what a decoder makes of them, float64 on the CPU."""
        hyper = self._coder.prior.symbols(_array(self._network.hyper_analyse(y)))
        self._coder.prior.code(coder, hyper.shape, hyper)
        parameters = self._coder.parameters(hyper)
        symbols = self._coder.symbols(_array(y), parameters)
        self._coder.code(coder, parameters, symbols)
        return self._quantised(symbols, parameters, tuple(y.shape[2:]))

    def decode(self, coder: RangeDecoder, place: Place) -> Tensor:
        """The same from the bytes; CodingError where they cannot be such latents."""
        height, width = (size // HYPER_STRIDE for size in place)
        hyper = self._coder.prior.code(coder, (self._config.width, height, width), None)
        parameters = self._coder.parameters(hyper)
        symbols = self._coder.code(coder, parameters, None)
        return self._quantised(symbols, parameters, tuple(size // LATENT_STRIDE for size in place))

    def _quantised(self, symbols: Any, parameters: Any, sides: tuple[int, ...]) -> Tensor:
        values = torch.from_numpy(self._coder.quantised(symbols, parameters)).double()
        return values.view(1, self._config.latents, *sides)


class IntraCoder:
    """First frames, with an image codec's network on its device."""

    def __init__(self, network: CodecNetwork, tables: LatentTables) -> None:
        self._network, self._exact = network, cast(CodecNetwork, fixed_point(network).cpu())
        self._stream = ImageStream(network, tables)

    def encode(self, frame: Tensor) -> tuple[bytes, Tensor]:
        """The bytes of a frame uint8 [1, 3, H, W], sides multiples of 64, and the frame as it will be decoded."""
        coder = RangeEncoder()
        y_hat = self._stream.encode(coder, self._network.analyse(_pixels(frame, self._network)))
        return coder.content(), to_pixels(self._exact.synthesise(y_hat))

    def decode(self, content: bytes, place: Place) -> Tensor:
        """The frame uint8 [1, 3, H, W]; CodingError for bytes that cannot be one."""
        return to_pixels(self._exact.synthesise(self._stream.decode(RangeDecoder(content), place)))


class PredictedCoder:
    """Frames predicted from the one decoded before, with a `VideoNetwork` on its device."""

    def __init__(self, network: VideoNetwork, tables: LatentTables) -> None:
        self._network, self._exact = network, cast(VideoNetwork, fixed_point(network).cpu())
        self._stream = ImageStream(network.residual, tables)
        self._motion = PriorCoder(tables.prior_tables()[network.config.residual.width :])

    def encode(self, frame: Tensor, reference: Tensor) -> tuple[bytes, Tensor]:
        """As `IntraCoder.encode`, with the decoded frame before."""
        coder, pixels = RangeEncoder(), _pixels(frame, self._network)
        symbols = self._motion.symbols(_array(self._network.motion_latents(pixels, _pixels(reference, self._network))))
        prediction = self._prediction(coder, reference, symbols)
        y = self._network.residual_latents(pixels, prediction.to(pixels.device, pixels.dtype))
        return self._finished(prediction, self._stream.encode(coder, y), coder)

    def decode(self, content: bytes, reference: Tensor) -> Tensor:
        """The frame uint8 [1, 3, H, W]; CodingError for bytes that cannot be one."""
        coder = RangeDecoder(content)
        prediction = self._prediction(coder, reference, None)
        y_hat = self._stream.decode(coder, (reference.shape[2], reference.shape[3]))
        return to_pixels(self._exact.reconstruct(prediction, y_hat))

    def _prediction(self, coder: RangeCoder, reference: Tensor, symbols: NDArray[np.int32] | None) -> Tensor:
        """Codes the motion; gives the exact prediction."""
        motion = self._network.motion
        sides = [size // motion.stride for size in reference.shape[2:]]
        found = self._motion.code(coder, (motion.channels, sides[0], sides[1]), symbols)
        return self._exact.predict(to_grid(reference / 255), torch.from_numpy(found).double()[None])

    def _finished(self, prediction: Tensor, y_hat: Tensor, coder: RangeEncoder) -> tuple[bytes, Tensor]:
        return coder.content(), to_pixels(self._exact.reconstruct(prediction, y_hat))


def _pixels(frame: Tensor, network: CodecNetwork | VideoNetwork) -> Tensor:
    """A frame uint8 as float32 in 0..1 on the network's device."""
    return frame.to(next(network.parameters()).device).float() / 255


def _array(latents: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = latents[0].float().contiguous().cpu().numpy()
    return array
