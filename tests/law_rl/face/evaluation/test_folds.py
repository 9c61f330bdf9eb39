"""k-fold accuracy by hand, on a golden file, and against a loop with scikit-learn's KFold."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from law_rl.counters import numpy_generator
from law_rl.face.evaluation.folds import ListedPairs, Rule, fold_accuracy, with_mirror
from law_rl.face.evaluation.rates import Floats

GOLDEN = Path(__file__).parents[3] / "golden" / "face_pairs.csv"
Bools = NDArray[np.bool_]


def golden() -> tuple[Floats, Bools, NDArray[np.int64]]:
    with GOLDEN.open() as file:
        rows = list(csv.DictReader(file))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    return columns["cosine"], columns["same"] == 1, columns["fold"].astype(np.int64)


def test_insightface_by_hand() -> None:
    # squared distances of the same: .205 .805 | .405 1.405 | .605 .705, the different: 1.805 1.005 | 1.605 2.005 |
    # 1.705 2.405. Without fold 0 all are right from 1.41, which then takes 1.005 for the same; without fold 1 all from
    # 0.81, which misses 1.405; without fold 2 seven are right from 0.81 and again from 1.41, and the first is taken.
    accuracy = fold_accuracy(*golden(), "insightface")
    assert accuracy.folds.tolist() == [0.75, 0.75, 1.0]
    assert accuracy.thresholds == pytest.approx([1.41, 0.81, 0.81])
    assert accuracy.mean == pytest.approx(5 / 6)
    assert accuracy.std == pytest.approx(math.sqrt((1 / 144 + 1 / 144 + 1 / 36) / 3))


def test_facex_zoo_by_hand() -> None:
    # cosines of the same: .8975 .5975 | .7975 .2975 | .6975 .6475, the different: .0975 .4975 | .1975 -.0025 |
    # .1475 -.2025. Without fold 0 the steps are .001 and the first perfect one lies just at or after .1975; without
    # fold 1 they are .0011 and it is -.2025 + 637 steps; without fold 2 they are .0009, TAR - FAR is 3/4 from
    # .1975 and again from .4975: the first is -.0025 + 223 steps.
    accuracy = fold_accuracy(*golden(), "facex_zoo")
    assert accuracy.folds.tolist() == [0.75, 0.75, 1.0]
    assert accuracy.thresholds == pytest.approx([0.198, 0.4982, 0.1982], abs=0.0006)
    assert accuracy.thresholds[1:] == pytest.approx([0.4982, 0.1982])
    assert accuracy.mean == pytest.approx(5 / 6)
    assert accuracy.std == pytest.approx(math.sqrt((1 / 144 + 1 / 144 + 1 / 36) / 2) / math.sqrt(3))


def test_a_score_that_equals_facex_zoos_threshold_is_wrong() -> None:
    cosines = np.array([600, 1000, 0, 300] * 2) / 1024  # the steps are 1 / 1024, exactly
    accuracy = fold_accuracy(cosines, np.array([True, True, False, False] * 2), np.repeat([0, 1], 4), "facex_zoo")
    assert accuracy.thresholds.tolist() == [300 / 1024] * 2
    assert accuracy.folds.tolist() == [0.75, 0.75]


def by_loop(cosines: Floats, same: Bools, count: int, rule: Rule) -> tuple[list[float], list[float]]:
    folds, thresholds = [], []
    for train, test in KFold(count, shuffle=False).split(cosines):
        best, chosen = -math.inf, math.nan
        if rule == "insightface":
            candidates = [k * 0.01 for k in range(400)]
        else:
            low, high = min(cosines[train]), max(cosines[train])
            candidates = [low + (high - low) / 1000 * k for k in range(1, 1001)]
        for threshold in candidates:
            if rule == "insightface":
                quality = np.mean((2 - 2 * cosines[train] < threshold) == same[train])
            else:
                taken = cosines[train] > threshold
                quality = np.mean(taken[same[train]]) - np.mean(taken[~same[train]])
            if quality > best:
                best, chosen = float(quality), threshold
        taken = 2 - 2 * cosines[test] < chosen if rule == "insightface" else cosines[test] > chosen
        folds.append(float(np.mean(taken == same[test])))
        thresholds.append(chosen)
    return folds, thresholds


@pytest.mark.parametrize("rule", ["insightface", "facex_zoo"])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 6), size=st.integers(12, 25))
def test_they_are_those_of_a_loop(rule: Rule, seed: int, count: int, size: int) -> None:
    generator = numpy_generator(seed, "cosines")
    same = np.arange(count * size) % 2 == 0
    cosines = np.clip(generator.normal(np.where(same, 0.5, 0.1), 0.2), -1, 1)
    fold = np.repeat(np.arange(count), size)
    accuracy = fold_accuracy(cosines, same, fold, rule)
    folds, thresholds = by_loop(cosines, same, count, rule)
    assert accuracy.thresholds == pytest.approx(thresholds)
    assert accuracy.folds == pytest.approx(folds)
    assert accuracy.mean == pytest.approx(np.mean(folds))
    std = np.std(folds) if rule == "insightface" else np.std(folds, ddof=1) / math.sqrt(count)
    assert accuracy.std == pytest.approx(std)


@pytest.mark.parametrize("rule", ["insightface", "facex_zoo"])
def test_the_order_of_pairs_does_not_count(rule: Rule) -> None:
    cosines, same, fold = golden()
    order = numpy_generator(0, "order").permutation(len(cosines))
    shuffled = fold_accuracy(cosines[order], same[order], 7 + 3 * fold[order], rule)
    assert shuffled.folds.tolist() == fold_accuracy(cosines, same, fold, rule).folds.tolist()


def test_mirror_images_are_added() -> None:
    images = torch.arange(12.0).reshape(2, 1, 2, 3)
    embedded = with_mirror(lambda batch: batch[:, 0, 0], images)
    assert embedded.tolist() == [[2, 2, 2], [14, 14, 14]]


def test_what_does_not_fit_is_refused() -> None:
    cosines, same, fold = golden()
    with pytest.raises(ValueError, match="rule is 'lfw': use one of insightface, facex_zoo"):
        fold_accuracy(cosines, same, fold, "lfw")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="without fold 0 of 1 there are not both"):
        fold_accuracy(cosines, same, 0 * fold)
    with pytest.raises(ValueError, match="not both same and different"):
        fold_accuracy(cosines, np.ones_like(same), fold)
    with pytest.raises(ValueError, match="give a bool and a fold"):
        fold_accuracy(cosines, same.astype(np.int64), fold)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pair scores hold NaN"):
        fold_accuracy(cosines * math.nan, same, fold)
    pairs = torch.zeros(3, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"same is torch.int64 \(3,\): give torch.bool \[3\]"):
        ListedPairs(pairs=pairs, same=pairs[:, 0], fold=pairs[:, 0])
