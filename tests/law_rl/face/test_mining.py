"""Mining of hard identities: the order of brute force, without the identity itself."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.mining import hardest_identities


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "mining test"))


def brute_force(prototypes: Tensor, count: int) -> Tensor:
    directions = unit(prototypes.float()).double()
    cosines = (directions @ directions.T).float().fill_diagonal_(-2.0)
    return cosines.sort(dim=1, descending=True, stable=True).indices[:, :count]


@given(identities=st.integers(2, 40), width=st.integers(1, 12), wanted=st.floats(0, 1), seed=st.integers(0, 10**6))
@settings(deadline=None)
def test_the_others_in_the_order_of_their_cosines(identities: int, width: int, wanted: float, seed: int) -> None:
    prototypes = drawn(identities, width, seed=seed) * 3
    count = 1 + int(wanted * (identities - 2))
    assert torch.equal(hardest_identities(prototypes, count), brute_force(prototypes, count))


def test_equal_and_zero_prototypes_never_include_the_identity_itself() -> None:
    for prototypes in (drawn(1, 6).repeat(9, 1), torch.zeros(9, 6), torch.cat([drawn(4, 6), torch.zeros(5, 6)])):
        found = hardest_identities(prototypes, 3)
        assert torch.equal(found, brute_force(prototypes, 3))
        assert not (found == torch.arange(9)[:, None]).any()


def test_lengths_do_not_count_and_opposites_come_last() -> None:
    prototypes = torch.tensor([[1.0, 0.0], [-5.0, 0.0], [0.1, 0.02], [100.0, 90.0]])
    assert hardest_identities(prototypes, 3)[0].tolist() == [2, 3, 1]
    assert hardest_identities(prototypes.double() * 1e-6, 3)[0].tolist() == [2, 3, 1]


@pytest.mark.parametrize("count", [0, 5, 6])
def test_a_count_that_does_not_fit_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"count is {count} and there are 5 prototypes"):
        hardest_identities(drawn(5, 3), count)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_prototypes_that_are_not_finite_are_refused(bad: float) -> None:
    prototypes = drawn(5, 3)
    prototypes[3, 1] = bad
    with pytest.raises(ValueError, match="prototypes holds numbers that are not finite"):
        hardest_identities(prototypes, 2)
