"""Pairs before and after: all of them in chunks, those of a list, and as scores of persons."""

import itertools
from dataclasses import fields

import numpy as np
import pytest
import torch

from law_rl.counters import torch_generator
from law_rl.face.evaluation.pairs import pair_scores
from law_rl.face.ida import aligned_pairs
from law_rl.face.ida.aligned_pairs import align_all, align_listed, verification
from law_rl.face.ida.aligner import ScoreAligner

COUNT = 13
EMBEDDINGS = torch.randn(COUNT, 6, generator=torch_generator(0, "test faces"))
PERSONS = torch.arange(COUNT) // 3
METHODS = ("shift", "one_sided", "as_norm", "z_norm")


def aligner(method: str) -> ScoreAligner:
    reference = torch.randn(320, 6, generator=torch_generator(1, "test reference"))
    return ScoreAligner(method=method).fit(reference)


@pytest.mark.parametrize("entries", [1, 40, 2**22])
@pytest.mark.parametrize("method", METHODS)
def test_all_pairs_are_aligned_whatever_the_chunks(method: str, entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligned_pairs, "ENTRIES", entries)
    fitted, pairs = aligner(method), list(itertools.combinations(range(COUNT), 2))
    found = align_all(EMBEDDINGS, fitted)
    assert found.rows.tolist() == [list(pair) for pair in pairs] and len(found) == len(pairs)
    units = EMBEDDINGS.double() / EMBEDDINGS.double().norm(dim=1, keepdim=True)
    known = fitted.statistics(EMBEDDINGS)
    for (i, j), cosine, score in zip(pairs, found.cosine.tolist(), found.aligned.tolist(), strict=True):
        assert cosine == pytest.approx(float(units[i] @ units[j]), abs=1e-6)
        expected = fitted.align(torch.tensor([cosine]), known.at(slice(i, i + 1)), known.at(slice(j, j + 1)))
        assert score == pytest.approx(float(expected), rel=1e-4, abs=1e-5)
    assert found.mean.tolist() == pytest.approx(known.mean.tolist())


@pytest.mark.parametrize("method", METHODS)
def test_listed_pairs_keep_their_order_and_their_sides(method: str) -> None:
    listed = torch.tensor([[3, 1], [1, 3], [0, 12], [5, 5]])
    fitted = aligner(method)
    found = align_listed(EMBEDDINGS, listed, fitted)
    assert found.rows.tolist() == listed.tolist()
    assert found.aligned.tolist() == pytest.approx(fitted.align_pairs(EMBEDDINGS, listed).tolist(), rel=1e-5, abs=1e-6)
    assert found.cosine[0] == found.cosine[1] and found.cosine[3] == pytest.approx(1, abs=1e-6)
    symmetric = method in ("shift", "as_norm")
    assert (found.aligned[0] == found.aligned[1]) == symmetric


def test_cosines_of_all_pairs_are_those_of_an_evaluation() -> None:
    found = align_all(EMBEDDINGS, aligner("shift"))
    persons = PERSONS.numpy() * 10 + 7
    same = persons[found.rows[:, 0]] == persons[found.rows[:, 1]]
    scores, expected = verification(found.cosine, found.rows, persons, same), pair_scores(EMBEDDINGS, PERSONS * 10 + 7)
    for field in fields(expected):
        one, other = getattr(scores, field.name), getattr(expected, field.name)
        assert one.dtype == other.dtype and np.allclose(one, other, atol=1e-6), field.name


def test_persons_in_no_pair_are_left_out() -> None:
    rows, persons = np.array([[0, 1], [4, 0]]), np.array([5, 5, 6, 6, 9])
    scores = verification(np.array([0.5, 0.25], dtype=np.float32), rows, persons, np.array([True, False]))
    assert scores.identities.tolist() == [5, 9]
    assert (scores.genuine_person.tolist(), scores.impostor_first.tolist()) == ([0], [1])
    assert scores.impostor_second.tolist() == [0] and scores.impostor.tolist() == [0.25]
