"""Crowding: a mean cosine to others' prototypes, as a plain float64 loop has it."""

import pytest
import torch
from torch.nn import functional

from law_rl.counters import torch_generator
from law_rl.face.ida.crowding import NEIGHBOURS, crowding


@pytest.mark.parametrize("persons", [2, 7, NEIGHBOURS + 1, 40])
def test_it_is_the_mean_cosine_to_the_most_alike_others(persons: int) -> None:
    generator = torch_generator(persons, "test crowding")
    prototypes = torch.randn(persons, 6, generator=generator)
    identities = torch.arange(persons).repeat(3)
    embeddings = prototypes[identities] + torch.randn(3 * persons, 6, generator=generator)
    cosines = functional.normalize(embeddings.double()) @ functional.normalize(prototypes.double()).T
    expected = []
    for row, own in zip(cosines.tolist(), identities.tolist(), strict=True):
        others = sorted((value for k, value in enumerate(row) if k != own), reverse=True)[:NEIGHBOURS]
        expected.append(sum(others) / len(others))
    found = crowding(embeddings, identities, prototypes)
    assert found.dtype == torch.float32 and found.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_face_among_look_alikes_is_in_a_crowd() -> None:
    prototypes = torch.cat([torch.ones(30, 8) + 0.1 * torch.eye(30, 8), torch.eye(8)[:1] - torch.eye(8)[1:2]])
    found = crowding(prototypes, torch.arange(31), prototypes)
    assert found[:30].min() > 0.9 and found[30] < 0.2


def test_a_single_identity_has_no_neighbours() -> None:
    with pytest.raises(ValueError, match=r"prototypes are \(1, 3\): give at least two identities") as raised:
        crowding(torch.ones(2, 3), torch.zeros(2, dtype=torch.int64), torch.ones(1, 3))
    assert "\n" not in str(raised.value)
