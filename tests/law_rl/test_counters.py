import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.counters import counter_seed, numpy_generator, torch_generator

ARGUMENTS = st.tuples(
    st.integers(0, 2**40),
    st.text("abcdef ", min_size=1, max_size=6),
    st.lists(st.integers(0, 2**40), max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, "batches", 0), 1518377606275633107),
        ((1, "batches", 0), 6796420880405281475),
        ((0, "exploration", 3, 5), 8680848746388253426),
    ],
)
def test_seeds_never_change_between_versions(arguments: tuple[int, str, int], expected: int) -> None:
    assert counter_seed(*arguments) == expected


@given(ARGUMENTS, ARGUMENTS)
def test_seeds_are_equal_only_for_equal_arguments(
    one: tuple[int, str, tuple[int, ...]], other: tuple[int, str, tuple[int, ...]]
) -> None:
    seeds = [counter_seed(seed, purpose, *counters) for seed, purpose, counters in (one, other)]
    assert (seeds[0] == seeds[1]) == (one == other)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_of_neighbouring_counters_share_no_bits_beyond_chance() -> None:
    seeds = np.array([counter_seed(0, "batches", epoch) for epoch in range(2000)])
    bits = (seeds[:, None] >> np.arange(63)) & 1
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.06
    flips = (bits[1:] ^ bits[:-1]).mean()
    assert abs(flips - 0.5) < 0.01


def test_generators_stand_at_the_start_of_their_own_stream() -> None:
    draws = [torch.rand(4, generator=torch_generator(3, "noise", 1)) for _ in range(2)]
    assert torch.equal(*draws)
    assert not torch.equal(draws[0], torch.rand(4, generator=torch_generator(3, "noise", 2)))
    assert np.array_equal(numpy_generator(3, "noise", 1).random(4), numpy_generator(3, "noise", 1).random(4))
    assert not np.array_equal(numpy_generator(3, "noise", 1).random(4), numpy_generator(4, "noise", 1).random(4))


def test_global_generators_are_neither_read_nor_advanced() -> None:
    draws = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
        draws.append((torch_generator(0, "a").initial_seed(), numpy_generator(0, "a").random()))
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1] == np.random.get_state()[1].tolist()  # type: ignore[index]
        assert before[2] == random.getstate()
    assert draws[0] == draws[1]
