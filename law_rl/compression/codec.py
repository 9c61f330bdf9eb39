"""Images to bytes and back: the codec as a user calls it."""

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.bitstream.container import (
    MAX_PIXELS,
    Chunk,
    Container,
    DamagedImage,
    Header,
    read_header,
    read_metadata,
)
from law_rl.compression.bitstream.latent_coder import LatentCoder
from law_rl.compression.bitstream.metadata import Metadata
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.bitstream.range_coder import CodingError
from law_rl.compression.network.codec_network import HYPER_STRIDE, LATENT_STRIDE
from law_rl.compression.shipped import model_path

__all__ = ["Codec", "DamagedImage", "Metadata", "Precision", "load_codec", "read_header", "read_metadata"]

Precision = Literal["float32", "bfloat16"]
Image = NDArray[np.uint8]


class Codec:
    """Codes images with one model.

    The transforms run on `device` in `precision`; what decides whether a file can be decoded runs on the CPU in whole
    numbers, so device, precision and threads change no more than the last bits of pixels. Raises ValueError for a
    precision that is not there.
    """

    def __init__(
        self, model: CodecModel, *, device: str | torch.device = "cpu", precision: Precision = "float32"
    ) -> None:
        if precision not in get_args(Precision):
            raise ValueError(f"precision is {precision!r}: use one of {', '.join(get_args(Precision))}")
        self.model = model
        self._hash = model.hash
        self._device, self._precision = torch.device(device), precision
        network = model.network()
        self._coder = LatentCoder(network.hyper_decoder, model.config.components, model.tables)
        self._network = network.to(self._device)

    def encode(self, image: Image, *, metadata: Metadata | None = None) -> bytes:
        """The .edic file of an RGB image uint8 [H, W, 3] or a grey one [H, W], which keeps the metadata.

        Raises ValueError for another array, and where the network gives no finite latents.
        """
        pixels = self._padded(image)
        header = Header(
            height=image.shape[0],
            width=image.shape[1],
            grey=image.ndim == 2,
            quality=self.model.quality,
            model=self._hash,
            metadata=metadata is not None,
        )
        with torch.inference_mode(), self._autocast():
            latents = self._network.analyse(pixels)
            hyper_latents = self._network.hyper_analyse(latents)
        first, hyper_symbols = self._coder.encode_hyper_latents(_array(hyper_latents))
        second, symbols = self._coder.encode_latents(_array(latents), self._coder.parameters(hyper_symbols))
        return Container(
            header=header,
            hyper_latents=Chunk.of(header, first, hyper_symbols),
            latents=Chunk.of(header, second, symbols),
            metadata=metadata,
        ).encode()

    def decode(self, content: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
        """The image in a file's bytes: uint8 [H, W, 3], or [H, W] for a grey one.

        Raises DamagedImage, a ValueError of one sentence, for anything but a whole file, for one of another model, and
        for an image of more than `max_pixels`; nothing of the size of the image is made before the file's checksums
        hold.
        """
        container = Container.decode(content, max_pixels=max_pixels)
        latents = self._decoded_latents(container)
        header = container.header
        with torch.inference_mode():
            with self._autocast():
                pixels = self._network.synthesise(torch.from_numpy(latents)[None].to(self._device))
            pixels = pixels[0, :, : header.height, : header.width].float()
            pixels = pixels.mean(0) if header.grey else pixels.permute(1, 2, 0)
            image: Image = pixels.clamp(0, 1).mul(255).round().to(torch.uint8).contiguous().cpu().numpy()
        return image

    def estimated_bits(self, image: Image) -> float:
        """What the network's likelihoods say that the image's latents cost, in bits, without a file around them."""
        with torch.inference_mode(), self._autocast():
            output = self._network(self._padded(image))
        return float(output.y_bits.double().sum() + output.z_bits.double().sum())

    def _decoded_latents(self, container: Container) -> NDArray[np.float32]:
        """The quantised latents [M, H/16, W/16] of a file."""
        header, config = container.header, self.model.config
        if header.model != self._hash:
            raise DamagedImage(
                f"the image was made with model {header.model.hex()}, this is {self._hash.hex()}: use that model"
            )
        height, width = -(-header.height // HYPER_STRIDE), -(-header.width // HYPER_STRIDE)
        try:
            hyper_symbols = self._coder.decode_hyper_latents(
                container.hyper_latents.content, (config.width, height, width)
            )
            container.hyper_latents.check_symbols(header, hyper_symbols)
            parameters = self._coder.parameters(hyper_symbols)
            symbols = self._coder.decode_latents(container.latents.content, parameters)
            container.latents.check_symbols(header, symbols)
        except CodingError as error:
            raise DamagedImage(f"the image file cannot be decoded ({error}): copy the file again") from error
        ratio = HYPER_STRIDE // LATENT_STRIDE
        return self._coder.quantised(symbols, parameters).reshape(config.latents, ratio * height, ratio * width)

    def _padded(self, image: Image) -> Tensor:
        """An image as float32 [1, 3, H, W] in 0..1 on the device, its edges repeated up to multiples of 64."""
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size:
            raise ValueError(f"the image is {image.dtype} {image.shape}: give uint8 [H, W, 3], or [H, W] for grey")
        margins = [(0, -size % HYPER_STRIDE) for size in image.shape[:2]]
        padded = np.pad(image, [*margins, *[(0, 0)] * (image.ndim - 2)], mode="edge")
        pixels = torch.from_numpy(padded).to(self._device)
        pixels = pixels.expand(3, *pixels.shape) if image.ndim == 2 else pixels.permute(2, 0, 1)
        return pixels[None].float() / 255

    def _autocast(self) -> Any:
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._precision == "bfloat16")


def load_codec(
    model: str | Path | int, *, device: str | torch.device = "cpu", precision: Precision = "float32"
) -> Codec:
    """The codec of a model that ships, by its quality or name, or of a model's file, by its path.

    Raises FileNotFoundError where there is none, and ValueError, one sentence, for a file that is no codec model.
    """
    return Codec(CodecModel.load(model_path(model)), device=device, precision=precision)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor[0].float().contiguous().cpu().numpy()
    return array
