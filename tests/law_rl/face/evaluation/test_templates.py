"""Pooling by hand and by loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.counters import torch_generator
from law_rl.face.evaluation.template_files import TemplateList, TemplatePairs
from law_rl.face.evaluation.templates import pool_templates, template_scores


def test_a_medium_counts_once_however_many_frames_it_has() -> None:
    # template 9: medium 1 has frames (1, 0) and (3, 0), mean (2, 0); medium 2 is (0, 2): the sum (2, 2)
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 0.0], [3.0, 0.0]])
    names, pooled = pool_templates(embeddings, torch.tensor([9, 9, 4, 9]), torch.tensor([1, 2, 1, 1]))
    assert names.tolist() == [4, 9] and pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, torch.tensor([[1.0, 0.0], [math.sqrt(0.5), math.sqrt(0.5)]]))


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(-2, 3), st.integers(0, 2)), min_size=1, max_size=20))
def test_pooling_is_a_loop(rows: list[tuple[int, int]]) -> None:
    embeddings = torch.randn(len(rows), 4, generator=torch_generator(len(rows), "media"), dtype=torch.float64)
    names, pooled = pool_templates(embeddings, *torch.tensor(rows).unbind(1))
    assert names.tolist() == sorted({template for template, _ in rows})
    for name, row in zip(names.tolist(), pooled, strict=True):
        total = np.zeros(4)
        for medium in {m for t, m in rows if t == name}:
            frames = [k for k, place in enumerate(rows) if place == (name, medium)]
            total += np.mean(embeddings.numpy()[frames], axis=0)
        np.testing.assert_allclose(row, total / np.linalg.norm(total), atol=1e-6)


def listed(*templates: int) -> TemplateList:
    names = tuple(f"{k}.jpg" for k in range(len(templates)))
    return TemplateList(images=names, templates=torch.tensor(templates), media=torch.arange(len(templates)))


def test_pairs_name_templates_not_rows() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])
    pairs = TemplatePairs(pairs=torch.tensor([[30, 10], [10, 20], [10, 40]]), same=torch.tensor([True, False, False]))
    scores = template_scores(embeddings, listed(10, 20, 30, 40), pairs)
    np.testing.assert_allclose(scores.genuine, [math.sqrt(0.5)], atol=1e-6)
    np.testing.assert_allclose(scores.impostor, [0, -1], atol=1e-6)


@pytest.mark.parametrize("missing", [5, 15, 25])
def test_a_pair_without_images_is_refused(missing: int) -> None:
    pairs = TemplatePairs(pairs=torch.tensor([[10, 20], [10, missing]]), same=torch.tensor([True, False]))
    with pytest.raises(ValueError, match=f"template {missing} is in a pair and has no image"):
        template_scores(torch.eye(2), listed(10, 20), pairs)


def test_shapes_and_values_are_checked() -> None:
    with pytest.raises(ValueError, match=r"media are torch.int64 \(1,\): give int64 \[2\]"):
        pool_templates(torch.eye(2), torch.tensor([1, 1]), torch.tensor([1]))
    with pytest.raises(ValueError, match="embeddings hold NaN"):
        pool_templates(torch.eye(2) / 0, torch.tensor([1, 1]), torch.tensor([1, 1]))
