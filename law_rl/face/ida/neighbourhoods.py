"""Faces by how crowded their neighbourhoods are, and how a single threshold treats the pairs of each kind."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import Floats, roc

KINDS = ("sparse", "middle", "crowded")


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbourhoods:
    """Images in three equal parts by their statistic mu, the mean cosine to their support sets: places in `KINDS`.

    `images` are the numbers of images of each kind, `spans` its smallest and largest mu; `genuine` int8 [G, 2] and
    `impostor` int8 [I, 2] the kinds of both images of each pair, in the order of the `PairScores`.
    """

    images: tuple[int, ...]
    spans: tuple[tuple[float, float], ...]
    genuine: NDArray[np.int8]
    impostor: NDArray[np.int8]


def neighbourhoods(means: Floats, pairs: NDArray[np.integer], same: NDArray[np.bool_]) -> Neighbourhoods:
    """Those of images with statistics `means` [N], at least three, and pairs [V, 2] of them, genuine where `same`.

    Equal statistics come in the order of the images. Raises ValueError for fewer than three images.
    """
    if len(means) < len(KINDS):
        raise ValueError(f"there are {len(means)} images: give at least {len(KINDS)}, one of each kind")
    kinds = np.empty(len(means), dtype=np.int8)
    kinds[np.argsort(means, kind="stable")] = np.arange(len(means)) * len(KINDS) // len(means)
    parts = [means[kinds == kind] for kind in range(len(KINDS))]
    ends = kinds[pairs]
    return Neighbourhoods(
        images=tuple(len(part) for part in parts),
        spans=tuple((float(part.min()), float(part.max())) for part in parts),
        genuine=ends[same],
        impostor=ends[~same],
    )


@dataclass(frozen=True, kw_only=True)
class KindRates:
    """Of the pairs of one kind of image: the mean `impostor` score, and in [0, 1] the `far` and `tar` of a threshold
    that all kinds share. A pair counts once for each of its images; NaN where there is none.
    """

    kind: str
    impostor: float
    far: float
    tar: float


def kind_rates(scores: PairScores, places: Neighbourhoods, threshold: float) -> tuple[KindRates, ...]:
    """What the threshold does to each kind; a score that equals it is accepted."""
    return tuple(
        KindRates(
            kind=name,
            impostor=_mean(scores.impostor, places.impostor, kind, lambda values: values),
            far=_mean(scores.impostor, places.impostor, kind, lambda values: values >= threshold),
            tar=_mean(scores.genuine, places.genuine, kind, lambda values: values >= threshold),
        )
        for kind, name in enumerate(KINDS)
    )


def threshold_at(scores: PairScores, far: float) -> float:
    """The genuine score at which the TAR is the largest with a FAR of at most `far`; infinite where there is none."""
    curve = roc(scores.genuine, scores.impostor)
    reached = int(np.searchsorted(curve.far[:, 1], far, side="right"))
    return float(curve.thresholds[reached - 1]) if reached else math.inf


def _mean(scores: Floats, ends: NDArray[np.int8], kind: int, what: Callable[[Floats], NDArray[Any]]) -> float:
    parts = [what(scores[end == kind]) for end in ends.T]
    count = sum(map(len, parts))
    return sum(float(part.sum(dtype=np.float64)) for part in parts) / count if count else math.nan
