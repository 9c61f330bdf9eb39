"""Pair scores against loops over pairs."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.evaluation import pairs
from law_rl.face.evaluation.pairs import PairScores, listed_scores, pair_scores


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "embeddings"), dtype=torch.float64)


def cosine(x: list[float], y: list[float]) -> float:
    lengths = math.hypot(*x) * math.hypot(*y)
    return math.fsum(a * b for a, b in zip(x, y, strict=True)) / lengths if lengths else 0.0


def as_rows(scores: PairScores) -> list[tuple[int, int, float]]:
    whose = scores.identities[scores.genuine_person]
    ends = (scores.identities[end] for end in (scores.impostor_first, scores.impostor_second))
    genuine = zip(whose.tolist(), whose.tolist(), scores.genuine.tolist(), strict=True)
    return sorted([*genuine, *zip(*(end.tolist() for end in ends), scores.impostor.tolist(), strict=True)])


def by_definition(embeddings: Tensor, identities: Tensor, others: Tensor | None) -> list[tuple[int, int, float]]:
    lefts, rights = embeddings.tolist(), (embeddings if others is None else others).tolist()
    labels = identities.tolist()
    indices = range(len(labels))
    chosen = combinations(indices, 2) if others is None else permutations(indices, 2)
    return sorted((labels[i], labels[j], cosine(lefts[i], rights[j])) for i, j in chosen)


@pytest.mark.parametrize("entries", [1, 7, 2**22])
@pytest.mark.parametrize("crossed", [False, True])
@settings(max_examples=20, deadline=None)
@given(identities=st.lists(st.sampled_from([3, 5, 5000, -2]), min_size=1, max_size=9), seed=st.integers(0, 1000))
def test_they_are_all_pairs(entries: int, crossed: bool, identities: list[int], seed: int) -> None:
    embeddings, labels = draw(len(identities), 3, seed=seed), torch.tensor(identities)
    embeddings[0] = 0
    others = draw(len(identities), 3, seed=seed + 1) if crossed else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "ENTRIES", entries)
        scores = pair_scores(embeddings, labels, others)
    rows, expected = as_rows(scores), by_definition(embeddings, labels, others)
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert (scores.impostor_first != scores.impostor_second).all()
    assert scores.identities.tolist() == sorted(set(identities))


def test_scores_are_float32_and_persons_int32() -> None:
    scores = pair_scores(draw(5, 3), torch.tensor([0, 0, 1, 1, 2]))
    assert scores.genuine.dtype == scores.impostor.dtype == np.float32
    assert scores.genuine_person.dtype == scores.impostor_first.dtype == scores.impostor_second.dtype == np.int32


def test_lengths_and_precision_do_not_count() -> None:
    embeddings, identities = draw(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    lengths = torch.tensor([[1e-9], [1.0], [1e30], [0.5], [7.0], [1e100]], dtype=torch.float64)
    expected = pair_scores(embeddings, identities)
    np.testing.assert_allclose(pair_scores(embeddings * lengths, identities).impostor, expected.impostor, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        single = pair_scores(embeddings.float(), identities)
    np.testing.assert_allclose(single.impostor, expected.impostor, atol=1e-6)
    half = pair_scores(embeddings.half(), identities)
    np.testing.assert_allclose(half.impostor, expected.impostor, atol=2e-3)


def test_gradients_are_not_kept() -> None:
    assert pair_scores(draw(4, 3).requires_grad_(), torch.tensor([0, 0, 1, 1])).genuine.shape == (2,)


def test_listed_pairs_are_scored_in_their_order() -> None:
    embeddings, listed = draw(5, 3), torch.tensor([[4, 0], [1, 1], [0, 4]])
    rows = embeddings.tolist()
    expected = [cosine(rows[i], rows[j]) for i, j in listed.tolist()]
    np.testing.assert_allclose(listed_scores(embeddings, listed), expected, atol=1e-6)
    assert listed_scores(embeddings, listed[:0]).shape == (0,)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "ENTRIES", 1)
        np.testing.assert_allclose(listed_scores(embeddings, listed), expected, atol=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    embeddings, identities = draw(4, 3), torch.tensor([0, 0, 1, 1])
    broken = embeddings.clone()
    broken[2, 1] = value
    with pytest.raises(ValueError, match="embeddings hold NaN or infinite numbers, first in row 2"):
        pair_scores(broken, identities)
    with pytest.raises(ValueError, match="others hold NaN"):
        pair_scores(embeddings, identities, broken)
    with pytest.raises(ValueError, match="hold NaN"):
        listed_scores(broken, torch.tensor([[0, 1]]))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"identities are torch.int64 \(3,\): give int64 \[4\]"):
        pair_scores(draw(4, 3), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"identities are torch\.int32"):
        pair_scores(draw(4, 3), torch.zeros(4, dtype=torch.int32))
    with pytest.raises(ValueError, match=r"others have shape \(4, 2\)"):
        pair_scores(draw(4, 3), torch.zeros(4, dtype=torch.int64), draw(4, 2))
    with pytest.raises(ValueError, match=r"give floats \[N, D\]"):
        pair_scores(draw(4, 3, 2), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match="rows from 0 to 4 of 4 embeddings"):
        listed_scores(draw(4, 3), torch.tensor([[0, 4]]))
    with pytest.raises(ValueError, match=r"give int64 \[V, 2\]"):
        listed_scores(draw(4, 3), torch.tensor([0, 4]))
