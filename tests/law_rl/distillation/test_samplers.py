import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from law_rl.distillation.samplers import GroupUniformBatches


def labels(*sizes: int, shuffle: int = 0) -> torch.Tensor:
    """Class c occurs sizes[c] times; the classes are named 10, 13, 16, ..."""
    groups = torch.repeat_interleave(torch.arange(len(sizes)) * 3 + 10, torch.tensor(sizes))
    return groups[torch.randperm(len(groups), generator=torch.Generator().manual_seed(shuffle))]


BY_TWO = {"batch_size": 8, "per_group": 2}


def draw(groups: torch.Tensor, **settings: int) -> torch.Tensor:
    epoch = settings.pop("epoch", 0)
    sampler = GroupUniformBatches(groups, **{"seed": 1, **settings})
    sampler.set_epoch(epoch)
    return torch.stack(sampler.batches())


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    st.lists(st.integers(1, 12), min_size=3, max_size=12),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_exact_counts(sizes: list[int], per_group: int, groups_per_rank: int, world_size: int, epoch: int) -> None:
    batch_size = per_group * groups_per_rank
    batches = sum(sizes) // (batch_size * world_size)
    assume(groups_per_rank * world_size <= len(sizes) and batches > 0)
    groups = labels(*sizes)
    size_of = dict(zip((np.arange(len(sizes)) * 3 + 10).tolist(), sizes, strict=True))
    ranks = [
        draw(groups, batch_size=batch_size, per_group=per_group, rank=rank, world_size=world_size, epoch=epoch)
        for rank in range(world_size)
    ]
    for rank in ranks:
        assert rank.shape == (batches, batch_size) and rank.dtype == torch.int64
    for batch in torch.cat(ranks, dim=1):
        found, counts = torch.unique(groups[batch], return_counts=True)
        assert len(found) == groups_per_rank * world_size  # none is on two ranks
        assert (counts == per_group).all()
        for group in found.tolist():
            _, repeats = torch.unique(batch[groups[batch] == group], return_counts=True)
            least, most = per_group // size_of[group], -(-per_group // size_of[group])
            assert len(repeats) == min(per_group, size_of[group])
            assert ((repeats >= least) & (repeats <= most)).all()


def test_ranks_hold_the_pieces_of_one_large_batch() -> None:
    groups = labels(*[9] * 12)
    whole = draw(groups, batch_size=12, per_group=2)
    ranks = [draw(groups, batch_size=4, per_group=2, rank=rank, world_size=3) for rank in range(3)]
    assert torch.equal(torch.cat(ranks, dim=1), whole)


def test_equal_sizes_that_fit_use_every_sample_exactly_once() -> None:
    indices = draw(labels(*[6] * 8), batch_size=6, per_group=3)
    assert sorted(indices.flatten().tolist()) == list(range(48))


def test_no_sample_comes_twice_in_a_pass_over_its_group() -> None:
    groups = labels(5, 30, 30, 30)  # a pass over the five: two visits, which leave one of them out
    visits = [batch[groups[batch] == 10] for epoch in range(20) for batch in draw(groups, **BY_TWO, epoch=epoch)]
    assert len(visits) == 20 * 11
    for first in range(0, len(visits), 11):
        for visit in range(first, first + 10, 2):
            assert len(set(torch.cat(visits[visit : visit + 2]).tolist())) == 4


def test_groups_come_equally_often_under_long_tails() -> None:
    groups = labels(400, 50, 10, 3)
    drawn = groups[draw(groups, batch_size=8, per_group=4)]
    counts = torch.bincount(drawn.flatten())[10::3]
    assert counts.max() - counts.min() <= 4


def test_samples_and_pairs_of_groups_are_drawn_evenly() -> None:
    groups = labels(5, 5, 5, shuffle=3)
    samples, pairs = torch.zeros(15), torch.zeros(31, 31)
    sampler = GroupUniformBatches(groups, batch_size=4, per_group=2, seed=7)
    for epoch in range(1000):
        sampler.set_epoch(epoch)
        for batch in sampler.batches():
            samples += torch.bincount(batch, minlength=15)
            pairs[groups[batch[0]], groups[batch[2]]] += 1
    assert samples.sum() == 12_000
    assert (samples - 800).abs().max() < 110  # four deviations of a binomial
    ordered = pairs[pairs > 0]
    assert len(ordered) == 6 and (ordered - 500).abs().max() < 90


def test_the_epoch_and_the_seed_choose_the_batches() -> None:
    groups = labels(*[7] * 9)
    base = draw(groups, batch_size=6, per_group=2)
    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    assert torch.equal(base, draw(groups, batch_size=6, per_group=2))
    assert torch.equal(before, torch.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()  # type: ignore[index]
    assert not torch.equal(base, draw(groups, batch_size=6, per_group=2, epoch=1))
    assert not torch.equal(base, draw(groups, batch_size=6, per_group=2, seed=2))


def test_the_stream_is_stable_across_versions() -> None:
    batches = draw(torch.tensor([0, 1, 2] * 4), batch_size=4, per_group=2)
    assert batches.tolist() == [[3, 6, 8, 5], [9, 0, 4, 1], [7, 10, 3, 9]]


def test_a_loader_takes_it_as_batch_sampler() -> None:
    groups = labels(5, 6, 7, 8)
    sampler = GroupUniformBatches(groups, batch_size=6, per_group=3, seed=1)
    loader = DataLoader(TensorDataset(torch.arange(26), groups), batch_sampler=sampler)
    sampler.set_epoch(2)
    seen = [indices for indices, _ in loader]
    assert len(loader) == len(sampler) == len(seen) == 4
    assert torch.equal(torch.stack(seen), draw(groups, batch_size=6, per_group=3, epoch=2))
    assert all(type(index) is int for batch in sampler for index in batch)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 7}, "batch_size=7 is not a whole number of groups of per_group=2"),
        ({"per_group": 0}, "per_group=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 8}, "needs 4 different groups at once, but there are 3"),
        ({"world_size": 2}, r"on 2 rank\(s\) needs 4 different groups"),
        ({"rank": 1}, "rank=1 is not one of 1 ranks"),
        ({"per_group": 8, "batch_size": 24}, "20 samples do not fill one batch"),
        ({"groups": torch.zeros(3, 3).long()}, r"groups must be int64 \[N\]"),
        ({"groups": torch.zeros(3)}, r"groups must be int64 \[N\]"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    fitting: dict[str, object] = {"groups": labels(5, 5, 10), "batch_size": 4, "per_group": 2, "seed": 0}
    GroupUniformBatches(**fitting)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        GroupUniformBatches(**{**fitting, **changes})  # type: ignore[arg-type]


def test_a_negative_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="epoch is -1"):
        GroupUniformBatches(labels(4, 4), batch_size=4, per_group=2, seed=0).set_epoch(-1)
