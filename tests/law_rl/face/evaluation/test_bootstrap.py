"""The bootstrap against loops over drawn persons, and against a simulation whose truth is known."""

import time
from itertools import combinations

import numpy as np
import pytest
import torch

from law_rl.counters import counter_seed, numpy_generator
from law_rl.face.evaluation.bootstrap import (
    Statistic,
    bootstrap,
    bootstrap_difference,
    bootstrap_interval,
    draws,
    tar_at,
)
from law_rl.face.evaluation.pairs import PairScores, pair_scores
from law_rl.face.evaluation.rates import Roc, equal_error_rate, roc, tar_at_far


def simulate(seed: int, persons: int = 40, images: int = 4, spread: float = 0.6, levels: int = 0) -> PairScores:
    generator = numpy_generator(seed, "persons")
    centres = generator.standard_normal((persons, 16))
    identities = np.repeat(np.arange(persons), images)
    embeddings = centres[identities] + spread * generator.standard_normal((len(identities), 16))
    if levels:
        embeddings = np.round(embeddings * levels) / levels
    return pair_scores(torch.from_numpy(embeddings), torch.from_numpy(identities))


def repeated(scores: PairScores, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Genuine and impostor scores with each pair written out as often as it counts."""
    times = drawn.astype(int)
    genuine = np.repeat(scores.genuine, times[scores.genuine_person])
    return genuine, np.repeat(scores.impostor, times[scores.impostor_first] * times[scores.impostor_second])


@pytest.mark.parametrize("levels", [0, 1])
def test_a_replicate_is_the_statistic_of_pairs_written_out(levels: int) -> None:
    scores, baseline = simulate(0, persons=9, levels=levels), simulate(1, persons=9, levels=levels)
    statistics = {
        tar_at(0.02): lambda genuine, impostor: tar_at_far(genuine, impostor, 0.02),
        Roc.equal_error_rate: equal_error_rate,
    }
    drawn = list(draws(9, 30, 5))
    for statistic, plain in statistics.items():
        values = np.array([plain(*repeated(scores, times)) for times in drawn])
        interval = bootstrap_interval(scores, statistic, replicates=30, seed=5)
        assert (interval.low, interval.high) == pytest.approx(tuple(100 * np.percentile(values, (2.5, 97.5))))
        assert interval.mean == pytest.approx(100 * plain(scores.genuine, scores.impostor))
        others = np.array([plain(*repeated(baseline, times)) for times in drawn])
        difference = bootstrap_difference(scores, baseline, statistic, replicates=30, seed=5)
        expected = tuple(100 * np.percentile(values - others, (2.5, 97.5)))
        assert (difference.low, difference.high) == pytest.approx(expected)


def test_draws_are_persons_with_replacement() -> None:
    drawn = np.array(list(draws(12, 50, 0)))
    assert drawn.shape == (50, 12) and (drawn.sum(axis=1) == 12).all() and drawn.max() > 1
    assert len({tuple(row) for row in drawn.tolist()}) == 50


@pytest.mark.parametrize("statistic", [tar_at(0.01), Roc.equal_error_rate])
def test_it_covers_the_truth_about_as_often_as_it_says(statistic: Statistic) -> None:
    # neighbouring pairs share persons: intervals over pairs would cover the truth far less often
    samples = [simulate(seed, persons=100, spread=0.8) for seed in range(100, 130)]
    truth = 100 * np.mean([statistic(roc(sample.genuine, sample.impostor)) for sample in samples])
    intervals = [bootstrap_interval(simulate(seed, spread=0.8), statistic, replicates=60) for seed in range(40)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.8 <= covered <= 1.0
    widths = [interval.high - interval.low for interval in intervals]
    spread = np.std([interval.mean for interval in intervals])
    assert 2.5 <= np.mean(widths) / spread <= 6  # 3.9 for a normal one


def test_paired_differences_are_narrower() -> None:
    scores = simulate(3)
    noise = numpy_generator(0, "noise").normal(0, 0.01, len(scores.genuine)).astype(np.float32)
    better = PairScores(**{**vars(scores), "genuine": scores.genuine + 0.02 + noise})
    alone, paired = bootstrap_interval(better, tar_at(0.01)), bootstrap_difference(better, scores, tar_at(0.01))
    assert paired.high - paired.low < alone.high - alone.low
    assert bootstrap_difference(scores, scores, tar_at(0.01)).high == 0
    swapped = bootstrap_difference(scores, better, tar_at(0.01))
    assert (swapped.mean, swapped.low) == pytest.approx((-paired.mean, -paired.high))


def test_it_repeats_and_its_seed_counts() -> None:
    scores = simulate(0)
    first = bootstrap_interval(scores, Roc.equal_error_rate, replicates=20, seed=1)
    assert first == bootstrap_interval(scores, Roc.equal_error_rate, replicates=20, seed=1)
    assert first != bootstrap_interval(scores, Roc.equal_error_rate, replicates=20, seed=2)
    assert counter_seed(1, "bootstrap", 0) != counter_seed(1, "bootstrap", 1)


def test_several_statistics_share_their_replicates() -> None:
    scores, baseline = simulate(0), simulate(1)
    statistics = {"TAR": tar_at(0.01), "EER": Roc.equal_error_rate}
    ours, theirs = (bootstrap(each, statistics, replicates=20, seed=3) for each in (scores, baseline))
    for name, statistic in statistics.items():
        assert ours.intervals()[name] == bootstrap_interval(scores, statistic, replicates=20, seed=3)
        expected = bootstrap_difference(scores, baseline, statistic, replicates=20, seed=3)
        assert ours.differences(theirs)[name] == expected
    assert not ours.pairs_with(bootstrap(baseline, statistics, replicates=20, seed=4))
    assert not ours.pairs_with(bootstrap(baseline, {"TAR": tar_at(0.01)}, replicates=20, seed=3))


def test_two_persons_leave_out_what_they_cannot_show() -> None:
    scores = pair_scores(torch.eye(4), torch.tensor([0, 0, 1, 1]))
    interval = bootstrap_interval(scores, Roc.equal_error_rate, replicates=40)
    assert interval.low == interval.mean == interval.high


def test_one_person_is_refused_and_other_persons_too() -> None:
    alone = pair_scores(torch.eye(3), torch.tensor([4, 4, 4]))
    with pytest.raises(ValueError, match="no impostor score: give images of two persons"):
        bootstrap_interval(alone, Roc.equal_error_rate)
    with pytest.raises(ValueError, match="not drawn alike: score both on the same images"):
        bootstrap_difference(simulate(0), simulate(0, persons=39), Roc.equal_error_rate)
    with pytest.raises(ValueError, match="replicates is 1"):
        bootstrap_interval(simulate(0), Roc.equal_error_rate, replicates=1)
    with pytest.raises(ValueError, match="far is 2"):
        tar_at(2)


def test_a_million_pairs_are_quick() -> None:
    generator = torch.Generator().manual_seed(0)
    identities = torch.arange(1420) // 5
    centres = torch.randn(284, 32, generator=generator)
    scores = pair_scores(centres[identities] + torch.randn(1420, 32, generator=generator), identities)
    assert len(scores.impostor) > 1_000_000
    start = time.process_time()
    bootstrap_interval(scores, tar_at(0.001), replicates=20)
    assert time.process_time() - start < 1.5


def test_pairs_of_a_person_with_itself_are_no_impostors() -> None:
    scores = simulate(0, persons=5, images=3)
    assert len(scores.impostor) == sum(9 for _ in combinations(range(5), 2))
