"""A codec at one setting, measured on one picture."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from law_rl.compression.image_metrics import ms_ssim, psnr
from law_rl.compression.pictures import Pixels
from law_rl.compression.rate_curve import RatePoint, mean_point

SMALLEST = 176
"""The short side in pixels from which on MS-SSIM with its five scales is defined."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a file costs and what its picture is worth: bits per pixel of the whole file, PSNR in dB (infinite where no
    pixel differs), MS-SSIM (None for pictures that are too small), and the seconds that encoding and decoding took.
    """

    name: str
    width: int
    height: int
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None
    encode_s: float
    decode_s: float


def measure(
    name: str, pixels: Pixels, encode: Callable[[Pixels], bytes], decode: Callable[[bytes], Pixels]
) -> Measured:
    """Encodes and decodes a picture uint8 [H, W, 3] or [H, W]."""
    begun = time.perf_counter()
    content = encode(pixels)
    encoded = time.perf_counter()
    decoded = decode(content)
    ended = time.perf_counter()
    height, width = pixels.shape[:2]
    return Measured(
        name=name,
        width=width,
        height=height,
        bytes=len(content),
        bpp=8 * len(content) / (width * height),
        psnr=psnr(pixels, decoded),
        ms_ssim=ms_ssim(pixels, decoded) if min(width, height) >= SMALLEST else None,
        encode_s=encoded - begun,
        decode_s=ended - encoded,
    )


def point(setting: str, measured: Sequence[Measured]) -> RatePoint:
    """The mean of a setting over pictures."""
    return mean_point(setting, [(each.bpp, each.psnr, each.ms_ssim) for each in measured])
