"""Who got how much weight in a stage, against a loop over the samples."""

import math

import pytest
import torch

from law_rl.counters import torch_generator
from law_rl.stage_weights import BINS, LOSS_EDGES, StageWeights


def test_means_are_those_of_a_loop_over_samples() -> None:
    generator = torch_generator(0, "test stage weights")
    mislabelled = torch.rand(50, generator=generator) < 0.4
    weights = StageWeights(mislabelled)
    seen: list[tuple[int, float, float]] = []
    for size in (8, 5, 8):
        ids = torch.randperm(50, generator=generator)[:size]
        losses = torch.rand(size, generator=generator).mul(12)
        p = torch.rand(size, generator=generator).mul(2)
        weights.add(ids, losses, p)
        weights.add(ids, losses, None)
        seen += list(zip(ids.tolist(), losses.tolist(), p.tolist(), strict=True))
    summary = weights.summary()
    clean = [w for i, _, w in seen if not mislabelled[i]]
    wrong = [w for i, _, w in seen if mislabelled[i]]
    assert summary.clean == pytest.approx(sum(clean) / len(clean), rel=1e-5)
    assert summary.mislabelled == pytest.approx(sum(wrong) / len(wrong), rel=1e-5)
    edges = (-math.inf, *LOSS_EDGES, math.inf)
    for place, mean in enumerate(summary.by_loss):
        inside = [w for _, loss, w in seen if edges[place] < loss <= edges[place + 1]]
        assert mean == pytest.approx(sum(inside) / len(inside) if inside else math.nan, rel=1e-5, nan_ok=True)
    assert len(summary.by_loss) == len(BINS)


def test_uniform_stages_and_unknown_labels_give_nan() -> None:
    uniform = StageWeights(torch.tensor([True, False]))
    uniform.add(torch.tensor([0, 1]), torch.ones(2), None)
    assert math.isnan(uniform.summary().clean)
    assert all(map(math.isnan, uniform.summary().by_loss))
    unknown = StageWeights(None)
    unknown.add(torch.tensor([0, 1]), torch.ones(2), torch.tensor([0.5, 1.5]))
    assert math.isnan(unknown.summary().mislabelled)
    assert unknown.summary().by_loss[LOSS_EDGES.index(1.0)] == 1.0
