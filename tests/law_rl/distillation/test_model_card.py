import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.data.dataset import Dataset, Split
from law_rl.distillation.model_card import CardData, ModelCard, wilson_interval
from law_rl.statistics import mean_interval


def test_a_single_seed_has_an_interval_over_test_images(student_card: ModelCard) -> None:
    assert student_card.accuracy == wilson_interval(88.25, 10_000)
    assert student_card.to_json()["accuracy"] == {**student_card.accuracy.to_json(), "over": "test images"}


def test_several_seeds_have_an_interval_over_seeds(student_card: ModelCard) -> None:
    card = replace(student_card, accuracies={10: 88.25, 11: 88.75, 12: 87.0})
    assert card.accuracy == mean_interval([88.25, 88.75, 87.0])
    assert card.to_json()["accuracy"] == {**card.accuracy.to_json(), "over": "training seeds"}


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_wilson_interval_is_where_the_score_test_is_at_its_limit(counts: tuple[int, int]) -> None:
    """Wilson's bounds p solve |share - p| = z sqrt(p (1 - p) / n), and lie on both sides of the share."""
    correct, images = counts
    share = correct / images
    interval = wilson_interval(100 * share, images)
    assert interval.low <= interval.mean + 1e-9 and interval.mean - 1e-9 <= interval.high
    for bound in (interval.low / 100, interval.high / 100):
        squared = 1.959963984540054**2 * bound * (1 - bound) / images
        assert math.isclose((share - bound) ** 2, squared, rel_tol=1e-6, abs_tol=1e-12)


def test_the_facts_of_a_data_set() -> None:
    def split(size: int) -> Split:
        return Split(images=torch.zeros(size, 1, 2, 2, dtype=torch.uint8), targets=torch.zeros(size, dtype=torch.int64))

    names = ("a", "b")
    data = Dataset(
        name="d", class_names=names, mean=(0.0,), std=(1.0,), train=split(5), validation=split(3), test=split(2)
    )
    found = CardData.of(data, "Public domain.")
    assert (found.name, found.hash, found.terms) == ("d", data.content_hash(), "Public domain.")
    assert (found.train, found.validation, found.test) == (5, 3, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: replace(card, seed=3), r"seed is 3, and accuracies are of \[10\]"),
        (lambda card: replace(card, accuracies={10: 101.0}), "the accuracy of seed 10 is 101.0: give percent"),
        (lambda card: replace(card, accuracies={10: float("nan")}), "the accuracy of seed 10 is nan"),
        (lambda card: replace(card, files={"s.onnx": 3}), r"files are \['s.onnx'\]: export the weights first"),
        (lambda card: replace(card.teacher, accuracy=-1.0), "the teacher's accuracy is -1.0"),
        (lambda card: replace(card.data, terms=" "), "terms of cifar10 is empty"),
        (lambda card: replace(card.data, test=0), "test is 0"),
    ],
)
def test_a_card_that_cannot_be_is_refused(
    student_card: ModelCard, change: Callable[[ModelCard], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        change(student_card)
