"""Error rates of verification from the scores of genuine and impostor pairs; a larger score is more alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, eq=False)
class Roc:
    """The corners of the curve of the true accept rate (TAR) over the false accept rate (FAR).

    `thresholds` [T] are the distinct genuine scores, largest first: between two of them only the FAR changes. `far` and
    `tar` float64 [T, 2] are the shares of impostor and genuine pairs above the threshold (column 0), and at or above it
    (column 1).
    """

    thresholds: Floats
    far: Floats
    tar: Floats

    def path(self) -> tuple[Floats, Floats]:
        """FAR and TAR [2 T + 2] of the corners in order, from (0, 0) to (1, 1)."""
        far, tar = (np.concatenate([[0.0], shares.ravel(), [1.0]]) for shares in (self.far, self.tar))
        return far, tar

    def tar_at(self, far: float | Floats) -> Floats:
        """The largest TAR of a threshold whose FAR is at most `far`, of the shape of `far`; 0 where there is none."""
        reached = np.concatenate([[0.0], self.tar[:, 1]])
        taken: Floats = reached[np.searchsorted(self.far[:, 1], far, side="right")]
        return taken

    def equal_error_rate(self) -> float:
        """Where the path through the corners, straight between two of them, has FAR = 1 - TAR."""
        far, tar = self.path()
        excess = far + tar - 1.0
        after = int(np.argmax(excess >= 0))
        share = -excess[after - 1] / (excess[after] - excess[after - 1])
        return float(far[after - 1] + share * (far[after] - far[after - 1]))


def roc(genuine: Floats, impostor: Floats) -> Roc:
    """The ROC of scores [G] and [I]; equal scores are accepted together.

    Its corners are points of scikit-learn's `roc_curve`, and no point of that lies off the path through them. Raises
    ValueError where there are no scores of a kind, or some are not finite.
    """
    genuine, impostor = np.sort(checked(genuine, "genuine")), np.sort(checked(impostor, "impostor"))
    thresholds = np.unique(genuine)[::-1]
    return Roc(
        thresholds=thresholds,
        far=accepted(impostor, thresholds) / len(impostor),
        tar=accepted(genuine, thresholds) / len(genuine),
    )


def accepted(ascending: Floats, thresholds: Floats) -> NDArray[np.int64]:
    """How many of the scores lie above each threshold, and how many at or above it: int64 [T, 2]."""
    below = np.stack([np.searchsorted(ascending, thresholds, side=side) for side in ("right", "left")], axis=1)
    return len(ascending) - below.astype(np.int64)


def tar_at_far(genuine: Floats, impostor: Floats, far: float) -> float:
    """The largest share of genuine pairs that a threshold accepts with at most the share `far` of impostor pairs.

    No interpolation: the last point of scikit-learn's `roc_curve` whose FAR is at most `far`. Where `far` is below
    1 / len(impostor) no impostor may be accepted: the share of genuine scores above the largest impostor score. Raises
    ValueError for a `far` outside [0, 1], no scores of a kind, and scores that are not finite.
    """
    if not 0 <= far <= 1:
        raise ValueError(f"far is {far}: give a share of impostor pairs from 0 to 1.")
    genuine, impostor = checked(genuine, "genuine"), checked(impostor, "impostor")
    count = len(impostor)
    allowed = int(far * count) + 1
    while allowed / count > far:  # far * count is rounded
        allowed -= 1
    if allowed >= count:
        return 1.0
    refused = np.partition(impostor, count - 1 - allowed)[count - 1 - allowed]
    return float(np.count_nonzero(genuine > refused) / len(genuine))


def equal_error_rate(genuine: Floats, impostor: Floats) -> float:
    """The share of errors in [0, 1] where FAR and 1 - TAR are equal, interpolated between neighbouring thresholds.

    Raises ValueError as `roc` does.
    """
    return roc(genuine, impostor).equal_error_rate()


def percentages(genuine: Floats, impostor: Floats, fars: Sequence[float]) -> dict[str, float]:
    """ "TAR@0.001" and so on for each of `fars`, and "EER", in per cent."""
    curve = roc(genuine, impostor)
    rates = {f"TAR@{far:g}": 100.0 * float(curve.tar_at(far)) for far in fars}
    return rates | {"EER": 100.0 * curve.equal_error_rate()}


def checked(scores: Floats, kind: str) -> Floats:
    """The scores as they are; ValueError where they are not a vector of at least one finite number."""
    if scores.ndim != 1 or scores.dtype.kind != "f":
        raise ValueError(f"{kind} scores are {scores.dtype} {scores.shape}: give a vector of floats, one a pair.")
    if not len(scores):
        raise ValueError(f"there is no {kind} score: give images of two persons at least, one of them with two images.")
    if not np.isfinite(scores).all():
        raise ValueError(f"{kind} scores hold NaN or infinite numbers: give finite ones.")
    return scores
