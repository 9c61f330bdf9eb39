"""Identification against a loop over trials."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.evaluation import identification
from law_rl.face.evaluation.identification import identification_rate


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "embeddings"), dtype=torch.float64)


def by_trials(embeddings: Tensor, identities: list[int], distractors: Tensor | None, rank: int) -> float:
    found = []
    for p, probe in enumerate(embeddings):
        for g, match in enumerate(embeddings):
            if p == g or identities[p] != identities[g]:
                continue
            if distractors is None:
                rivals = [row for row, who in zip(embeddings, identities, strict=True) if who != identities[p]]
            else:
                rivals = list(distractors)
            ahead = sum(
                bool(torch.cosine_similarity(probe, r, dim=0) >= torch.cosine_similarity(probe, match, dim=0))
                for r in rivals
            )
            found.append(ahead < rank)
    return sum(found) / len(found)


@pytest.mark.parametrize("blocks", [(1024, 4096), (2, 3)])
@settings(max_examples=25, deadline=None)
@given(
    identities=st.lists(st.integers(0, 3), min_size=2, max_size=8).filter(lambda ids: len(set(ids)) < len(ids)),
    distractors=st.one_of(st.none(), st.integers(1, 9)),
    rank=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_it_is_the_share_of_trials(
    blocks: tuple[int, int], identities: list[int], distractors: int | None, rank: int, seed: int
) -> None:
    embeddings = draw(len(identities), 3, seed=seed)
    others = None if distractors is None else draw(distractors, 3, seed=seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identification, "PROBES", blocks[0])
        patch.setattr(identification, "DISTRACTORS", blocks[1])
        rate = identification_rate(embeddings, torch.tensor(identities), others, rank=rank)
    assert rate == pytest.approx(by_trials(embeddings, identities, others, rank))


def test_a_distractor_that_is_as_near_comes_first() -> None:
    probes, identities = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([7, 7])
    equal, farther = torch.tensor([[0.0, 1.0]]), torch.tensor([[-1.0, -1.0]])
    assert identification_rate(probes, identities, farther) == 1.0
    assert identification_rate(probes, identities, equal) == 0.0
    assert identification_rate(probes, identities, equal, rank=2) == 1.0


def test_more_distractors_are_harder() -> None:
    identities = torch.arange(60) // 3
    embeddings = draw(20, 8)[identities] + draw(60, 8, seed=1)
    distractors = draw(5000, 8, seed=2)
    rates = [identification_rate(embeddings, identities, distractors[:count]) for count in (10, 100, 1000, 5000)]
    assert rates == sorted(rates, reverse=True) and rates[0] > rates[-1]
    ranks = [identification_rate(embeddings, identities, distractors, rank=rank) for rank in (1, 5, 50)]
    assert ranks == sorted(ranks) and ranks[0] < ranks[-1]


def test_what_does_not_fit_is_refused() -> None:
    embeddings, identities = draw(3, 4), torch.tensor([0, 0, 1])
    with pytest.raises(ValueError, match="no person has two images"):
        identification_rate(embeddings, torch.arange(3))
    with pytest.raises(ValueError, match="rank is 0: count places from 1"):
        identification_rate(embeddings, identities, rank=0)
    with pytest.raises(ValueError, match="distractors have 5 dimensions and embeddings 4"):
        identification_rate(embeddings, identities, draw(2, 5))
    with pytest.raises(ValueError, match="distractors hold NaN"):
        identification_rate(embeddings, identities, embeddings * math.nan)
    with pytest.raises(ValueError, match=r"give int64 \[3\]"):
        identification_rate(embeddings, identities[:2])
