"""Means with 95 % intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, object]:
        return {"mean": self.mean, "ci95": [self.low, self.high]}

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of values and its t interval; of paired differences this is the paired-t interval.

    Equal values, or a single one, give an interval of no width.
    """
    mean = math.fsum(values) / len(values)
    if len(values) < 2 or max(values) == min(values):
        return Interval(mean=mean, low=mean, high=mean)
    from scipy import stats

    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    return Interval(mean=mean, low=float(interval.low), high=float(interval.high))


def in_points(value: float, *, sign: bool = False) -> str:
    """A value in points to a tenth, below one point to a hundredth."""
    return f"{value:{'+' if sign else ''}.{1 if abs(value) >= 1 else 2}f}"
