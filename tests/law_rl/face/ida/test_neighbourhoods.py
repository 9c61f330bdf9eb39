"""Kinds of neighbourhoods: equal parts by the statistic, and rates by a count of the pairs of each image."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.counters import numpy_generator
from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import tar_at_far
from law_rl.face.ida.neighbourhoods import KINDS, kind_rates, neighbourhoods, threshold_at


def scored(seed: int, images: int = 12) -> tuple[PairScores, np.ndarray, np.ndarray]:
    """Scores of all pairs of images, two a person, among which many are equal."""
    generator = numpy_generator(seed, "test neighbourhoods")
    pairs = np.array([(i, j) for i in range(images) for j in range(i + 1, images)])
    persons = np.arange(images) // 2
    same = persons[pairs[:, 0]] == persons[pairs[:, 1]]
    scores = (np.round(2 * generator.normal(size=len(pairs)) + 2 * same) / 2).astype(np.float32)
    first, second = (persons[end].astype(np.int32) for end in pairs.T)
    return (
        PairScores(
            genuine=scores[same],
            impostor=scores[~same],
            genuine_person=first[same],
            impostor_first=first[~same],
            impostor_second=second[~same],
            identities=np.arange(images // 2),
        ),
        pairs,
        same,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=20))
def test_images_are_in_three_equal_parts_by_their_statistic(means: list[float]) -> None:
    pairs = np.array([(i, i) for i in range(len(means))])
    found = neighbourhoods(np.array(means), pairs, np.ones(len(means), dtype=bool))
    assert sum(found.images) == len(means) and max(found.images) - min(found.images) <= 1
    ordered = sorted(means)
    assert [end for span in found.spans for end in span] == sorted(end for span in found.spans for end in span)
    assert found.spans[0][0] == ordered[0] and found.spans[-1][1] == ordered[-1]
    for value, kind in zip(means, found.genuine[:, 0].tolist(), strict=True):
        assert found.spans[kind][0] <= value <= found.spans[kind][1]


@pytest.mark.parametrize("seed", range(3))
def test_rates_count_a_pair_for_each_of_its_images(seed: int) -> None:
    scores, pairs, same = scored(seed)
    means = numpy_generator(seed, "test means").normal(size=12)
    places, threshold = neighbourhoods(means, pairs, same), 0.5
    kinds = [int(sum(other < value for other in means)) * 3 // 12 for value in means.tolist()]
    every = np.empty(len(pairs))
    every[same], every[~same] = scores.genuine, scores.impostor
    for kind, found in enumerate(kind_rates(scores, places, threshold)):
        seen = [(k, i) for k, pair in enumerate(pairs) for i in pair if kinds[i] == kind]
        for expected, genuine in ((found.tar, True), (found.far, False)):
            values = [every[k] >= threshold for k, _ in seen if same[k] == genuine]
            assert expected == pytest.approx(sum(values) / len(values))
        impostors = [every[k] for k, _ in seen if not same[k]]
        assert found.impostor == pytest.approx(sum(impostors) / len(impostors)) and found.kind == KINDS[kind]


@pytest.mark.parametrize("far", [0.0, 0.02, 0.1, 1.0])
def test_the_threshold_gives_the_rate_that_is_asked_for(far: float) -> None:
    scores, _, _ = scored(5)
    threshold = threshold_at(scores, far)
    assert (scores.impostor >= threshold).mean() <= far
    assert (scores.genuine >= threshold).mean() == pytest.approx(tar_at_far(scores.genuine, scores.impostor, far))


def test_a_rate_that_is_reached_exactly_is_accepted() -> None:
    scores, _, _ = scored(5)
    for value in np.unique(scores.genuine).tolist():
        assert threshold_at(scores, float((scores.impostor >= value).mean())) <= value


def test_without_an_acceptable_threshold_nothing_is_accepted() -> None:
    scores, pairs, same = scored(1)
    low = PairScores(**{**vars(scores), "genuine": np.full_like(scores.genuine, -9)})
    assert threshold_at(low, 0.01) == math.inf
    rates = kind_rates(low, neighbourhoods(np.arange(12.0), pairs, same), math.inf)
    assert [(each.far, each.tar) for each in rates] == [(0, 0)] * 3


def test_a_kind_without_pairs_has_no_rate() -> None:
    scores, pairs, same = scored(2)
    places = neighbourhoods(np.arange(12.0), pairs, same)
    none = PairScores(**{**vars(scores), "genuine": scores.genuine[:2]})
    few = type(places)(**{**vars(places), "genuine": np.zeros((2, 2), dtype=np.int8)})
    rates = kind_rates(none, few, 0.0)
    assert not math.isnan(rates[0].tar) and math.isnan(rates[1].tar) and math.isnan(rates[2].tar)


def test_two_images_are_too_few() -> None:
    with pytest.raises(ValueError, match="there are 2 images: give at least 3"):
        neighbourhoods(np.zeros(2), np.zeros((1, 2), dtype=int), np.ones(1, dtype=bool))
