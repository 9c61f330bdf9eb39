import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.data.imbalance import long_tail_counts, long_tail_indices


def test_counts_of_the_published_long_tailed_cifar() -> None:
    assert long_tail_counts(5000, 10, 100).tolist() == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    totals = {(5000, 10): 12406, (500, 100): 10847, (4000, 10): 9922, (400, 100): 8668}
    for (largest, classes), total in totals.items():
        assert int(long_tail_counts(largest, classes, 100).sum()) == total


def test_no_class_vanishes() -> None:
    assert long_tail_counts(10, 3, 1000.0).tolist() == [10, 1, 1]


@given(targets=st.lists(st.integers(0, 4), min_size=1, max_size=80).map(torch.tensor), imbalance=st.floats(1.0, 200.0))
def test_indices_keep_the_first_of_each_class(targets: torch.Tensor, imbalance: float) -> None:
    largest = int(torch.bincount(targets).max())
    kept = long_tail_indices(targets, 5, imbalance).tolist()
    assert kept == sorted(kept)
    for label, count in enumerate(long_tail_counts(largest, 5, imbalance).tolist()):
        of_class = [index for index, target in enumerate(targets.tolist()) if target == label]
        assert [index for index in kept if targets[index] == label] == of_class[:count]


def test_imbalance_one_keeps_everything() -> None:
    targets = torch.arange(30) % 3
    assert torch.equal(long_tail_indices(targets, 3, 1.0), torch.arange(30))


@pytest.mark.parametrize(("classes", "imbalance"), [(1, 10.0), (3, 0.5)])
def test_impossible_profiles_are_refused(classes: int, imbalance: float) -> None:
    with pytest.raises(ValueError, match=f"imbalance={imbalance} over {classes} classes"):
        long_tail_indices(torch.zeros(4, dtype=torch.int64), classes, imbalance)
