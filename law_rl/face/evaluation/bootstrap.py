"""Intervals of error rates by a bootstrap over persons: pairs share persons, so they are no independent samples."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from law_rl.counters import numpy_generator
from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import Floats, Roc, accepted, checked, roc
from law_rl.statistics import Interval

Statistic = Callable[[Roc], float]
"""A share of the curve: `Roc.equal_error_rate`, or `tar_at(0.001)`."""


def tar_at(far: float) -> Statistic:
    """The statistic TAR at FAR `far`; ValueError for a `far` outside [0, 1]."""
    if not 0 <= far <= 1:
        raise ValueError(f"far is {far}: give a share of impostor pairs from 0 to 1.")
    return lambda curve: float(curve.tar_at(far))


@dataclass(frozen=True, kw_only=True, eq=False)
class Bootstrap:
    """Statistics of scores: `values` float64 [K], and `replicates` [R, K] of them, NaN where a draw of persons has no
    pair of one kind. `identities` and `seed` say who was drawn.
    """

    names: tuple[str, ...]
    values: Floats
    replicates: Floats
    identities: NDArray[np.int64]
    seed: int

    def intervals(self) -> dict[str, Interval]:
        """Each statistic with its 95 % percentile interval, in per cent."""
        return _intervals(self.names, self.values, self.replicates)

    def pairs_with(self, baseline: "Bootstrap") -> bool:
        """Whether both drew the same persons, so that their replicates can be compared one by one."""
        return (
            self.names == baseline.names
            and self.seed == baseline.seed
            and self.replicates.shape == baseline.replicates.shape
            and np.array_equal(self.identities, baseline.identities)
        )

    def differences(self, baseline: "Bootstrap") -> dict[str, Interval]:
        """Each statistic less the baseline's, in points, with the 95 % interval of the paired differences.

        Raises ValueError where the two were not drawn alike.
        """
        if not self.pairs_with(baseline):
            raise ValueError(
                f"the scores of {len(self.identities)} persons and the baseline's of {len(baseline.identities)} were "
                "not drawn alike: score both on the same images, with the same statistics, replicates and seed."
            )
        return _intervals(self.names, self.values - baseline.values, self.replicates - baseline.replicates)


def bootstrap(
    scores: PairScores, statistics: Mapping[str, Statistic], *, replicates: int = 200, seed: int = 0
) -> Bootstrap:
    """The statistics of the scores and of replicates that draw as many persons as there are, with replacement.

    A person drawn m times counts m times in its genuine pairs, and m n times in its impostor pairs with a person drawn
    n times. Raises ValueError where the scores hold no pair of a kind, as those of a single person.
    """
    if replicates < 2:
        raise ValueError(f"replicates is {replicates}: give at least 2 (200 is usual).")
    whole = roc(scores.genuine, scores.impostor)
    curves = _WeightedCurves.of(scores)
    rows = np.full((replicates, len(statistics)), math.nan)
    for row, drawn in zip(rows, draws(len(scores.identities), replicates, seed), strict=True):
        if curve := curves.curve(drawn):
            row[:] = [statistic(curve) for statistic in statistics.values()]
    return Bootstrap(
        names=tuple(statistics),
        values=np.array([statistic(whole) for statistic in statistics.values()]),
        replicates=rows,
        identities=scores.identities,
        seed=seed,
    )


def bootstrap_interval(scores: PairScores, statistic: Statistic, *, replicates: int = 200, seed: int = 0) -> Interval:
    """`Bootstrap.intervals` of one statistic."""
    return bootstrap(scores, {"": statistic}, replicates=replicates, seed=seed).intervals()[""]


def bootstrap_difference(
    scores: PairScores, baseline: PairScores, statistic: Statistic, *, replicates: int = 200, seed: int = 0
) -> Interval:
    """`Bootstrap.differences` of one statistic."""
    ours, theirs = (bootstrap(each, {"": statistic}, replicates=replicates, seed=seed) for each in (scores, baseline))
    return ours.differences(theirs)[""]


def draws(persons: int, replicates: int, seed: int) -> Iterator[Floats]:
    """How often each person is drawn, float64 [P], one array a replicate."""
    for replicate in range(replicates):
        chosen = numpy_generator(seed, "bootstrap", replicate).integers(persons, size=persons)
        yield np.bincount(chosen, minlength=persons).astype(np.float64)


def _intervals(names: Sequence[str], values: Floats, replicates: Floats) -> dict[str, Interval]:
    sound = replicates[~np.isnan(replicates).any(axis=1)]
    if not len(sound):
        raise ValueError("no replicate had pairs of both kinds: give more persons, or more replicates.")
    ends = np.percentile(100.0 * sound, (2.5, 97.5), axis=0)
    return {
        name: Interval(mean=100.0 * float(value), low=float(low), high=float(high))
        for name, value, low, high in zip(names, values, *ends, strict=True)
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _WeightedCurves:
    """Scores sorted once, so that a curve with weights is a running sum.

    Persons stand in the order of their pairs' scores, largest first; the counts int64 [T, 2] say how many scores each
    threshold accepts.
    """

    thresholds: Floats
    genuine: NDArray[np.int64]
    impostor: tuple[NDArray[np.int64], NDArray[np.int64]]
    genuine_accepted: NDArray[np.int64]
    impostor_accepted: NDArray[np.int64]

    @classmethod
    def of(cls, scores: PairScores) -> "_WeightedCurves":
        genuine, impostor = checked(scores.genuine, "genuine"), checked(scores.impostor, "impostor")
        order, impostor_order = np.argsort(genuine), np.argsort(impostor)
        thresholds = np.unique(genuine)[::-1]
        ends = (scores.impostor_first, scores.impostor_second)
        first, second = (end[impostor_order[::-1]].astype(np.int64) for end in ends)
        return cls(
            thresholds=thresholds,
            genuine=scores.genuine_person[order[::-1]].astype(np.int64),
            impostor=(first, second),
            genuine_accepted=accepted(genuine[order], thresholds),
            impostor_accepted=accepted(impostor[impostor_order], thresholds),
        )

    def curve(self, drawn: Floats) -> Roc | None:
        """The curve of persons that count float64 [P] times; None without a pair of either kind."""
        genuine = _running_sum(drawn[self.genuine])
        first, second = self.impostor
        impostor = _running_sum(drawn[first] * drawn[second])
        if not genuine[-1] or not impostor[-1]:
            return None
        return Roc(
            thresholds=self.thresholds,
            far=impostor[self.impostor_accepted] / impostor[-1],
            tar=genuine[self.genuine_accepted] / genuine[-1],
        )


def _running_sum(weights: Floats) -> Floats:
    """[n + 1]: the sum of the first k weights at k."""
    sums = np.zeros(len(weights) + 1)
    np.cumsum(weights, out=sums[1:])
    return sums
