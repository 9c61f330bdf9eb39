"""A video codec at one setting, measured on one clip."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from law_rl.compression.image_metrics import ms_ssim, psnr
from law_rl.compression.measured import SMALLEST
from law_rl.compression.rate_curve import RatePoint, mean_or_none, mean_point
from law_rl.compression.video.clip import Frame

EXACT = 100.0
"""Decibels that a frame without any error counts, so that one of them does not make a clip's mean endless."""


@dataclass(frozen=True, kw_only=True)
class MeasuredClip:
    """What a clip's bytes cost and what its frames are worth: bits per pixel of every frame, the means over frames of
    PSNR in dB and of MS-SSIM (None for frames that are too small), and frames per second both ways.
    """

    name: str
    width: int
    height: int
    frames: int
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None
    encode_fps: float
    decode_fps: float


def measure_clip(
    name: str,
    frames: Iterable[Frame],
    encode: Callable[[Iterable[Frame]], bytes],
    decode: Callable[[bytes], Iterable[Frame]],
) -> MeasuredClip:
    """Encodes and decodes a clip, frames uint8 [H, W, 3] that can be iterated twice; no more than one of either is held
    here. Neither reading the clip nor comparing frames counts in the times.

    Raises ValueError where the decoded frames are more or fewer.
    """
    source = _Timed(frames)
    begun = time.perf_counter()
    content = encode(source)
    encode_s = time.perf_counter() - begun - source.seconds
    decoded = _Timed(decode(content))
    shapes, psnrs, similarities = zip(*_compared(name, frames, decoded), strict=True)
    count, (height, width) = len(shapes), shapes[0]
    return MeasuredClip(
        name=name,
        width=width,
        height=height,
        frames=count,
        bytes=len(content),
        bpp=8 * len(content) / (count * width * height),
        psnr=math.fsum(psnrs) / count,
        ms_ssim=mean_or_none(similarities),
        encode_fps=count / encode_s,
        decode_fps=count / decoded.seconds,
    )


def clip_point(setting: str, measured: Sequence[MeasuredClip]) -> RatePoint:
    """The mean of a setting over clips; all clips count alike."""
    return mean_point(setting, [(each.bpp, each.psnr, each.ms_ssim) for each in measured])


def _compared(
    name: str, frames: Iterable[Frame], decoded: Iterable[Frame]
) -> Iterator[tuple[tuple[int, int], float, float | None]]:
    """Height and width, PSNR and MS-SSIM of each frame."""
    for index, (a, b) in enumerate(zip_longest(frames, decoded)):
        if a is None or b is None:
            missing = "the clip" if a is None else "what was decoded"
            raise ValueError(f"{missing} ends before frame {index} of {name}: the codec has to give each frame back")
        height, width = a.shape[:2]
        yield (height, width), min(psnr(a, b), EXACT), ms_ssim(a, b) if min(height, width) >= SMALLEST else None


class _Timed:
    """Iterates over items and adds up the seconds that they take to come."""

    def __init__(self, items: Iterable[Frame]) -> None:
        self._items = items
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Frame]:
        items = iter(self._items)
        while True:
            begun = time.perf_counter()
            item = next(items, None)
            self.seconds += time.perf_counter() - begun
            if item is None:
                return
            yield item
