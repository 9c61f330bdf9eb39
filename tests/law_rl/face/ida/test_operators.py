"""Operators: their formulas in float64, their symmetry to the bit, and what they do to a crowd."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.evaluation.rates import roc
from law_rl.face.ida.norms import NORMS
from law_rl.face.ida.operators import LEAST_STD, OPERATORS, Operator
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, support_statistics

ALL: dict[str, Operator] = OPERATORS | {name: operator for name, (_, operator) in NORMS.items()}
SYMMETRIC = ["shift", "z_score", "margin", "log_ratio", "s_norm", "as_norm", "csls"]
FORMULAS: dict[str, Callable[[float, list[float], list[float], float, float], float]] = {
    "shift": lambda s, a, b, beta, gamma: s - beta * (a[0] + b[0]) / 2,
    "one_sided": lambda s, a, b, beta, gamma: s - beta * a[0],
    "z_score": lambda s, a, b, beta, gamma: ((s - a[0]) / a[1] + (s - b[0]) / b[1]) / 2,
    "margin": lambda s, a, b, beta, gamma: s - max(a[0], b[0]),
    "log_ratio": lambda s, a, b, beta, gamma: (
        gamma * s - math.log(math.exp(gamma * s) + math.exp(a[2]) + math.exp(b[2]))
    ),
    "z_norm": lambda s, a, b, beta, gamma: (s - b[0]) / b[1],
    "t_norm": lambda s, a, b, beta, gamma: (s - a[0]) / a[1],
    "s_norm": lambda s, a, b, beta, gamma: ((s - a[0]) / a[1] + (s - b[0]) / b[1]) / 2,
    "as_norm": lambda s, a, b, beta, gamma: ((s - a[0]) / a[1] + (s - b[0]) / b[1]) / 2,
    "csls": lambda s, a, b, beta, gamma: 2 * s - a[0] - b[0],
}


def statistics(count: int, seed: int, dtype: torch.dtype = torch.float64) -> NeighbourStatistics:
    numbers = torch.rand(3, count, generator=torch_generator(seed, "statistics"), dtype=torch.float64).to(dtype)
    return NeighbourStatistics(
        mean=numbers[0] - 0.3, std=0.02 + numbers[1] / 4, evidence=8 * numbers[2], count=torch.full((count,), 20)
    )


def drawn_scores(count: int, seed: int) -> Tensor:
    return 2 * torch.rand(count, generator=torch_generator(seed, "scores"), dtype=torch.float64) - 1


def test_all_operators_and_norms_have_a_formula_here() -> None:
    assert set(ALL) == set(FORMULAS)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), beta=st.floats(0, 2), gamma=st.floats(0.5, 60))
def test_the_formula_in_float64(name: str, seed: int, beta: float, gamma: float) -> None:
    scores, first, second = drawn_scores(6, seed), statistics(6, seed), statistics(6, seed + 1)
    kept = scores.clone(), first.mean.clone()
    found = ALL[name](scores, first, second, beta=beta, gamma=gamma)
    sides = [list(zip(*(t.tolist() for t in side.tensors().values()), strict=True)) for side in (first, second)]
    expected = [
        FORMULAS[name](s, list(a), list(b), beta, gamma) for s, a, b in zip(scores.tolist(), *sides, strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-11)
    assert torch.equal(scores, kept[0]) and torch.equal(first.mean, kept[1])  # nothing is changed
    halves = ALL[name](scores.float(), _single(first), _single(second), beta=beta, gamma=gamma)
    assert halves.dtype == torch.float32
    torch.testing.assert_close(halves.double(), found, rtol=2e-5, atol=2e-5)


def _single(side: NeighbourStatistics) -> NeighbourStatistics:
    return NeighbourStatistics(
        mean=side.mean.float(), std=side.std.float(), evidence=side.evidence.float(), count=side.count
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SYMMETRIC)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 200))
def test_the_order_of_the_two_faces_changes_no_bit(name: str, dtype: torch.dtype, seed: int, count: int) -> None:
    scores, first, second = (
        drawn_scores(count, seed).to(dtype),
        statistics(count, seed, dtype),
        statistics(count, seed + 1, dtype),
    )
    assert torch.equal(ALL[name](scores, first, second), ALL[name](scores, second, first))


@pytest.mark.parametrize(("name", "side"), [("one_sided", "first"), ("t_norm", "first"), ("z_norm", "second")])
def test_the_others_look_at_one_side(name: str, side: str) -> None:
    scores, sides = drawn_scores(9, 0), {"first": statistics(9, 0), "second": statistics(9, 1)}
    found = ALL[name](scores, **sides)
    assert not torch.equal(ALL[name](scores, **(sides | {side: statistics(9, 2)})), found)
    (other,) = set(sides) - {side}
    assert torch.equal(ALL[name](scores, **(sides | {other: statistics(9, 2)})), found)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_constant_statistics_leave_the_roc_as_it_is(name: str, seed: int) -> None:
    scores = drawn_scores(60, seed)
    one = statistics(1, seed)
    everywhere = one.at(torch.zeros(60, dtype=torch.int64))
    before, after = scores.numpy(), ALL[name](scores, everywhere, everywhere).numpy()
    curves = [roc(values[:20], values[20:]) for values in (before, after)]
    assert np.array_equal(curves[0].far, curves[1].far) and np.array_equal(curves[0].tar, curves[1].tar)
    varied = ALL[name](scores, statistics(60, seed), statistics(60, seed + 1)).numpy()
    assert not np.array_equal(np.argsort(varied), np.argsort(before))  # others do change it


@pytest.mark.parametrize("name", ALL)
def test_a_hub_is_pushed_down(name: str) -> None:
    """A hub is as near to the probe as the probe's own person is, because it is near to everybody."""
    draw = torch.randn(400, 16, generator=torch_generator(0, "hub"))
    centre = draw[:300].sum(0)
    crowd, probe = draw[:300] + 0.08 * centre, draw[300]
    hub = centre / centre.norm() * 4 + 0.9 * probe
    genuine = probe + _matching(probe, hub) * draw[301]
    enrolled = torch.stack([genuine, hub])
    support = NORMS[name][0] if name in NORMS and name != "as_norm" else SupportConfig()
    probes = support_statistics(probe[None].expand(2, -1), crowd, support)
    known = support_statistics(enrolled, crowd, support)
    assert known.mean[1] > known.mean[0]
    scores = torch.nn.functional.cosine_similarity(probe[None], enrolled)
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=1e-3)
    sides = (known, probes) if name in ("one_sided", "t_norm") else (probes, known)
    aligned = ALL[name](scores, *sides)
    assert aligned[0] > aligned[1] + 1e-2


def _matching(probe: Tensor, hub: Tensor) -> float:
    """How much noise makes a copy of the probe as unlike to it as the hub is."""
    noise = torch.randn(400, 16, generator=torch_generator(0, "hub"))[301]
    target = torch.nn.functional.cosine_similarity(probe, hub, dim=0)
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        nearer = torch.nn.functional.cosine_similarity(probe, probe + middle * noise, dim=0) > target
        low, high = (middle, high) if nearer else (low, middle)
    return low


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("std", [0.0, 1e-30])
def test_faces_whose_neighbours_are_all_alike_have_finite_scores(name: str, std: float) -> None:
    zeros = torch.zeros(5)
    side = NeighbourStatistics(mean=zeros + 0.2, std=zeros + std, evidence=zeros + 4, count=zeros.long() + 1)
    found = ALL[name](torch.linspace(-1, 1, 5), side, side)
    assert found.isfinite().all() and (found.diff() > 0).all()


def test_a_small_std_is_taken_as_the_least() -> None:
    side = NeighbourStatistics(
        mean=torch.zeros(2),
        std=torch.tensor([LEAST_STD / 10, LEAST_STD]),
        evidence=torch.zeros(2),
        count=torch.ones(2).long(),
    )
    found = ALL["z_score"](torch.tensor([0.5, 0.5]), side, side)
    assert found[0] == found[1]


@pytest.mark.parametrize("gamma", [16.0, 100.0])
def test_log_ratios_stay_finite_and_ordered(gamma: float) -> None:
    side = NeighbourStatistics(
        mean=torch.zeros(1), std=torch.ones(1), evidence=torch.tensor([gamma]), count=torch.ones(1).long()
    )
    found = ALL["log_ratio"](torch.linspace(-1, 1, 101), side, side, gamma=gamma)
    assert found.isfinite().all() and (found.diff() > 0).all() and (found < 0).all()


def test_scores_of_a_table_are_those_of_its_pairs() -> None:
    first, second = statistics(4, 0), statistics(3, 1)
    table = drawn_scores(12, 0).view(4, 3)
    rows, columns = torch.arange(4).repeat_interleave(3), torch.arange(3).repeat(4)
    for operator in ALL.values():
        pairs = operator(table.flatten(), first.at(rows), second.at(columns))
        torch.testing.assert_close(operator(table, first.as_column(), second), pairs.view(4, 3), rtol=1e-14, atol=0)
