"""How good a network is on whole photographs, by its own estimate of the bits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from law_rl.compression.network.codec_network import HYPER_STRIDE, CodecNetwork


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Means over photographs: bits per pixel, and PSNR of 8-bit RGB in dB."""

    bpp: float
    psnr: float


@torch.inference_mode()
def validate(network: CodecNetwork, images: Sequence[NDArray[np.uint8]], device: str | torch.device) -> Validation:
    """Rounds as a coder does, in float32 on `device`, where the network must be; images are uint8 [H, W, 3], of any
    sizes, which padding brings to multiples of 64. Bits of the padding count for the picture.
    """
    results = [_measure(network, image, device) for image in images]
    return Validation(bpp=fmean(bpp for bpp, _ in results), psnr=fmean(psnr for _, psnr in results))


def _measure(network: CodecNetwork, image: NDArray[np.uint8], device: str | torch.device) -> tuple[float, float]:
    pixels = torch.tensor(image, device=device).permute(2, 0, 1).unsqueeze(0)
    height, width = pixels.shape[2:]
    padding = (0, -width % HYPER_STRIDE, 0, -height % HYPER_STRIDE)
    output = network(functional.pad(pixels.float() / 255, padding, mode="replicate"))
    decoded = (output.reconstruction[:, :, :height, :width].clamp(0, 1) * 255).round()
    error = float((decoded - pixels.float()).double().square().mean())
    bits = float(output.y_bits + output.z_bits)
    return bits / (height * width), 10 * math.log10(255**2 / max(error, 1e-10))
