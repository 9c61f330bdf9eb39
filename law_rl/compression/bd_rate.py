"""Bjontegaard's delta rate: how many bits more, or fewer, a codec needs than another for the same quality."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from law_rl.compression.rate_curve import Floats, Metric, RateCurve


class NoOverlap(ValueError):
    """Two curves have no quality in common, or one of them is a single point."""


@dataclass(frozen=True, kw_only=True)
class BdRate:
    """`percent` more bits (less: negative) at the same quality, on average over the qualities `low` to `high` in dB."""

    percent: float
    low: float
    high: float


def bd_rate(curve: RateCurve, anchor: RateCurve, metric: Metric = "psnr") -> BdRate:
    """The rate of `curve` over that of `anchor`: the mean difference of the logarithms of both rates over the qualities
    that both reach, each interpolated monotonically (PCHIP) between its points, as a percentage.

    Points that cost more than another of their curve and are no better are left out. Bjontegaard (VCEG-M33, 2001), with
    PCHIP for his cubics as in later practice. Raises NoOverlap where no quality is in common.
    """
    ours, theirs = front(*curve.values(metric)), front(*anchor.values(metric))
    for name, (rates, _) in ((curve.name, ours), (anchor.name, theirs)):
        if len(rates) < 2:
            raise NoOverlap(f"{name} has {len(rates)} points of {metric}: measure it at two settings or more")
    low, high = max(ours[1][0], theirs[1][0]), min(ours[1][-1], theirs[1][-1])
    if low >= high:
        spans = " and ".join(
            f"{name} from {qualities[0]:.2f} to {qualities[-1]:.2f} dB"
            for name, (_, qualities) in ((curve.name, ours), (anchor.name, theirs))
        )
        raise NoOverlap(f"no {metric} is reached by both, {spans}: measure more settings")
    difference = _mean_log_rate(*ours, low, high) - _mean_log_rate(*theirs, low, high)
    return BdRate(percent=100 * math.expm1(difference), low=float(low), high=float(high))


def front(rates: Floats, qualities: Floats) -> tuple[Floats, Floats]:
    """The points, cheapest first, that are better than every cheaper one."""
    order = np.lexsort((-qualities, rates))
    rates, qualities = rates[order], qualities[order]
    best_before = np.maximum.accumulate(np.concatenate([[-np.inf], qualities]))[:-1]
    kept = qualities > best_before
    return rates[kept], qualities[kept]


def _mean_log_rate(rates: Floats, qualities: Floats, low: float, high: float) -> float:
    return float(PchipInterpolator(qualities, np.log(rates)).integrate(low, high)) / (high - low)
