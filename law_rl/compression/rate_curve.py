"""Rate-distortion curves: what a codec needs in bits for which quality of the picture."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Literal["psnr", "ms_ssim"]


@dataclass(frozen=True, kw_only=True)
class RatePoint:
    """Means over pictures at one setting of a codec: bits per pixel, PSNR in dB, and MS-SSIM from 0 to 1, None where a
    picture is too small for it.
    """

    setting: str
    bpp: float
    psnr: float
    ms_ssim: float | None


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """The points of a codec; `published` where they were measured elsewhere."""

    name: str
    points: tuple[RatePoint, ...]
    published: bool = False

    def values(self, metric: Metric) -> tuple[Floats, Floats]:
        """Bits per pixel and qualities in dB, both float64 [P], cheapest first; without points that lack the metric."""
        known = ((point.bpp, decibels(point, metric)) for point in self.points)
        pairs = sorted((rate, quality) for rate, quality in known if quality is not None)
        rates, qualities = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return rates, qualities


def decibels(point: RatePoint, metric: Metric) -> float | None:
    """PSNR, or MS-SSIM as -10 log10(1 - MS-SSIM); None where the point lacks it, or the picture is exact."""
    if metric == "psnr":
        return point.psnr if math.isfinite(point.psnr) else None
    return None if point.ms_ssim is None or point.ms_ssim >= 1 else -10 * math.log10(1 - point.ms_ssim)


def mean_point(setting: str, measured: Iterable[tuple[float, float, float | None]]) -> RatePoint:
    """The point of one setting from the (bpp, PSNR, MS-SSIM) of each picture; all pictures count alike."""
    rates, psnrs, similarities = zip(*measured, strict=True)
    return RatePoint(setting=setting, bpp=_mean(rates), psnr=_mean(psnrs), ms_ssim=mean_or_none(similarities))


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean; None where a value is missing."""
    given = [value for value in values if value is not None]
    return _mean(given) if given and len(given) == len(values) else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
