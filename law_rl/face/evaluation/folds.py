"""Accuracy on listed pairs by k folds, as for LFW, CFP-FP, AgeDB-30, CALFW and CPLFW."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.face.evaluation.rates import Floats, checked

Rule = Literal["insightface", "facex_zoo"]
DISTANCES = np.arange(0, 4, 0.01)
STEPS = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldAccuracy:
    """`folds` [K] are the accuracies in [0, 1] of each fold at its entry of `thresholds` [K], `mean` is theirs.

    insightface: `std` is the folds' standard deviation (ddof 0), thresholds are squared distances; facex_zoo: `std` is
    the standard error of the mean (ddof 1), thresholds are cosines. The two are not interchangeable.
    """

    rule: Rule
    mean: float
    std: float
    folds: Floats
    thresholds: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class ListedPairs:
    """`pairs` int64 [V, 2], rows of the embeddings; `same` bool [V]; `fold` int64 [V], the fold of each pair."""

    pairs: Tensor
    same: Tensor
    fold: Tensor

    def __post_init__(self) -> None:
        count = len(self.pairs)
        for name, values, dtype in (("same", self.same, torch.bool), ("fold", self.fold, torch.int64)):
            if values.dtype != dtype or values.shape != (count,):
                raise ValueError(f"{name} is {values.dtype} {tuple(values.shape)}: give {dtype} [{count}], one a pair.")


def fold_accuracy(
    cosines: Floats, same: NDArray[np.bool_], fold: NDArray[np.integer], rule: Rule = "insightface"
) -> FoldAccuracy:
    """The accuracy on each fold of pairs at the threshold chosen on the other folds; cosines, same and fold are [V].

    insightface: squared distances 2 - 2 cos are below one of 0, 0.01, .. 3.99, the first of those with the best
    accuracy on the other folds; embeddings are those of `with_mirror`. facex_zoo: cosines are above one of 1000 equal
    steps up to the largest of the other folds, the first with the largest TAR - FAR; no mirrored images; a score that
    equals the threshold is wrong.

    Source: the evaluation programs of insightface and FaceX-Zoo. Raises ValueError for shapes that do not fit, a single
    fold, and folds without which a kind of pair is missing.
    """
    if rule not in get_args(Rule):
        raise ValueError(f"rule is {rule!r}: use one of {', '.join(get_args(Rule))}.")
    cosines = checked(cosines, "pair").astype(np.float64)
    if same.dtype != np.bool_ or same.shape != cosines.shape or fold.shape != cosines.shape:
        raise ValueError(
            f"same is {same.dtype} {same.shape} and fold has shape {fold.shape}: "
            f"give a bool and a fold for each of {len(cosines)} pairs."
        )
    groups = np.unique(fold, return_inverse=True)[1]
    held_out = [groups == group for group in range(groups.max() + 1)]
    for group, tested in enumerate(held_out):
        if not (same & ~tested).any() or not (~same & ~tested).any():
            raise ValueError(
                f"without fold {group} of {len(held_out)} there are not both same and different pairs to choose a "
                "threshold from: give at least two folds, each with both kinds."
            )
    folds, thresholds = _BY_RULE[rule](cosines, same, held_out)
    std = folds.std() if rule == "insightface" else folds.std(ddof=1) / math.sqrt(len(folds))
    return FoldAccuracy(rule=rule, mean=float(folds.mean()), std=float(std), folds=folds, thresholds=thresholds)


def with_mirror(embed: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The sum [N, D] of the embeddings of images [N, C, H, W] and of their mirror images, as insightface takes it."""
    return embed(images) + embed(images.flip(-1))


_Rule = Callable[[Floats, NDArray[np.bool_], list[NDArray[np.bool_]]], tuple[Floats, Floats]]


def _insightface(cosines: Floats, same: NDArray[np.bool_], held_out: list[NDArray[np.bool_]]) -> tuple[Floats, Floats]:
    distances = 2.0 - 2.0 * cosines
    right = np.stack([_right(distances[tested & same], distances[tested & ~same]) for tested in held_out])
    best = (right.sum(axis=0) - right).argmax(axis=1)
    sizes = np.array([np.count_nonzero(tested) for tested in held_out])
    return right[np.arange(len(best)), best] / sizes, DISTANCES[best]


def _right(same: Floats, different: Floats) -> NDArray[np.int64]:
    """How many pairs each threshold of DISTANCES takes rightly."""
    near, far = (np.searchsorted(np.sort(distances), DISTANCES, side="left") for distances in (same, different))
    return (near + len(different) - far).astype(np.int64)


def _facex_zoo(cosines: Floats, same: NDArray[np.bool_], held_out: list[NDArray[np.bool_]]) -> tuple[Floats, Floats]:
    folds, thresholds = [], []
    for tested in held_out:
        threshold = _largest_difference(cosines[~tested & same], cosines[~tested & ~same])
        right = np.where(same, cosines > threshold, cosines < threshold)
        folds.append(right[tested].mean())
        thresholds.append(threshold)
    return np.array(folds), np.array(thresholds)


def _largest_difference(same: Floats, different: Floats) -> float:
    """The first of the steps at which the share of `same` above it is larger by most than that of `different`."""
    low, high = min(same.min(), different.min()), max(same.max(), different.max())
    steps = low + (high - low) / STEPS * np.arange(1, STEPS + 1)
    # shares as quotients of counts: rounding settles some ties, and so settles them as in the original
    tar, far = (
        (len(scores) - np.searchsorted(np.sort(scores), steps, side="right")) / len(scores)
        for scores in (same, different)
    )
    return float(steps[np.argmax(tar - far)])


_BY_RULE: dict[Rule, _Rule] = {"insightface": _insightface, "facex_zoo": _facex_zoo}
