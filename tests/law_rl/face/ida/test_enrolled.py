"""Tables of aligned scores: each tile in its place, whatever the size of tiles."""

from functools import partial

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import law_rl.face.ida.enrolled as module
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.ida.enrolled import Enrolled, aligned_table
from law_rl.face.ida.operators import OPERATORS
from law_rl.face.ida.statistics import NeighbourStatistics


def enrolled(count: int, seed: int, width: int = 6) -> Enrolled:
    generator = torch_generator(seed, "enrolled test")
    numbers = torch.rand(3, count, generator=generator)
    statistics = NeighbourStatistics(
        mean=numbers[0] - 0.3, std=0.05 + numbers[1], evidence=8 * numbers[2], count=torch.full((count,), 20)
    )
    return Enrolled(directions=unit(torch.randn(count, width, generator=generator)), statistics=statistics)


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    tile=st.tuples(st.integers(1, 13), st.integers(1, 13)),
)
def test_each_score_is_that_of_its_pair(
    monkeypatch: pytest.MonkeyPatch, name: str, seed: int, sizes: tuple[int, int], tile: tuple[int, int]
) -> None:
    monkeypatch.setattr(module, "ROWS", tile[0])
    monkeypatch.setattr(module, "COLUMNS", tile[1])
    probes, gallery, operator = enrolled(sizes[0], seed), enrolled(sizes[1], seed + 1), OPERATORS[name]
    found = aligned_table(probes, gallery, partial(operator, beta=0.7, gamma=8.0))
    rows = torch.arange(sizes[0]).repeat_interleave(sizes[1])
    columns = torch.arange(sizes[1]).repeat(sizes[0])
    cosines = (probes.directions[rows].double() * gallery.directions[columns].double()).sum(1)
    pairs = operator(cosines, probes.statistics.at(rows), gallery.statistics.at(columns), beta=0.7, gamma=8.0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double().flatten(), pairs.double(), rtol=1e-5, atol=1e-5)


def test_two_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="probes have 6 dimensions and the gallery 7: use one network for both"):
        aligned_table(enrolled(3, 0), enrolled(3, 1, width=7), OPERATORS["margin"])
