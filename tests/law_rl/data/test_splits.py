import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.data.splits import fixed_order, rank_within_class, split_stratified, stratified_counts

labels = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(torch.tensor)


def test_fixed_order_is_a_permutation_that_never_changes() -> None:
    state = torch.get_rng_state()
    order = fixed_order(100)
    assert sorted(order.tolist()) == list(range(100))
    assert order.tolist() != list(range(100))
    torch.manual_seed(5)
    assert torch.equal(order, fixed_order(100))
    torch.set_rng_state(state)


@given(targets=labels)
def test_rank_within_class_counts_earlier_equals(targets: torch.Tensor) -> None:
    values = targets.tolist()
    assert rank_within_class(targets).tolist() == [values[:i].count(value) for i, value in enumerate(values)]


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8), share=st.floats(0, 1))
def test_stratified_counts_are_within_one_of_the_exact_share(sizes: list[int], share: float) -> None:
    sizes = [*sizes, 1]
    total = int(share * sum(sizes))
    counts = stratified_counts(torch.tensor(sizes), total)
    assert int(counts.sum()) == total
    for size, count in zip(sizes, counts.tolist(), strict=True):
        assert 0 <= count <= size
        assert abs(count - size * total / sum(sizes)) < 1


def test_stratified_counts_by_hand() -> None:
    assert stratified_counts(torch.tensor([5, 3, 2]), 4).tolist() == [2, 1, 1]  # shares 2.0, 1.2, 0.8


@settings(deadline=None)
@given(targets=labels, share=st.floats(0, 1), seed=st.integers(0, 9))
def test_split_stratified_partitions_the_order(targets: torch.Tensor, share: float, seed: int) -> None:
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    total = int(share * len(targets))
    taken, rest = split_stratified(order, targets, total)
    assert len(taken) == total
    assert sorted(taken.tolist() + rest.tolist()) == list(range(len(targets)))
    positions = {index: position for position, index in enumerate(order.tolist())}
    for part in (taken.tolist(), rest.tolist()):
        assert part == sorted(part, key=positions.__getitem__)
    for label in range(6):
        of_class = [index for index in order.tolist() if targets[index] == label]
        kept = [index for index in taken.tolist() if targets[index] == label]
        assert kept == of_class[: len(kept)]


def test_split_stratified_of_a_part_of_the_indices() -> None:
    taken, rest = split_stratified(torch.tensor([4, 2, 0, 1]), torch.tensor([0, 1, 0, 1, 1]), 2)
    assert taken.tolist() == [4, 2] and rest.tolist() == [0, 1]
    with pytest.raises(IndexError):
        split_stratified(torch.tensor([7]), torch.tensor([0, 1]), 1)
