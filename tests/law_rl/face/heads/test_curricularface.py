import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.face.heads.curricularface import CurricularFace
from tests.law_rl.face.heads.references import Floats, arc, assert_close, draw, values_and_slopes


def reference(cosines: Tensor, targets: Tensor, margin: float, t: float) -> tuple[Floats, Floats]:
    values = cosines.double().numpy().copy()
    slopes = np.ones_like(values)
    for row, own in enumerate(targets.tolist()):
        positive, slope = arc(values[row, own], margin)
        for column, cosine in enumerate(values[row]):
            if column != own and cosine > positive:
                values[row, column], slopes[row, column] = cosine * (t + cosine), t + 2 * cosine
        values[row, own], slopes[row, own] = positive, slope
    return values, slopes


def clear_of_ties(cosines: Tensor, targets: Tensor, margin: float) -> Tensor:
    """The cosines without those of others that rounding could put on either side of the margin."""
    cosines[(cosines - math.cos(math.pi - margin)).abs() < 1e-6] = 0.5
    for row, own in enumerate(targets.tolist()):
        positive, _ = arc(float(cosines[row, own]), margin)
        near = (cosines[row] - positive).abs() < 1e-6
        near[own] = False
        cosines[row, near] = 1.0
    return cosines


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(1, 9),
    classes=st.integers(1, 7),
    margin=st.floats(0.01, 1),
    t=st.floats(-1, 1),
)
def test_values_and_gradients(seed: int, samples: int, classes: int, margin: float, t: float) -> None:
    cosines, targets, norms = draw(samples, classes, seed)
    cosines = clear_of_ties(cosines, targets, margin)
    head = CurricularFace(margin).eval()
    head.t.fill_(t)
    found = values_and_slopes(head, cosines, targets, norms)
    assert_close(found, reference(cosines, targets, margin, t))


@pytest.mark.parametrize("cosine", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("classes", [1, 3])
def test_all_cosines_alike(cosine: float, classes: int) -> None:
    cosines, targets = torch.full((2, classes), cosine), torch.zeros(2, dtype=torch.int64)
    head = CurricularFace(0.5)
    found = values_and_slopes(head, cosines, targets, torch.ones(2))
    assert_close(found, reference(cosines, targets, 0.5, 0.01 * cosine))


def test_t_follows_the_target_cosines_in_training_alone() -> None:
    head, t = CurricularFace(0.5), 0.0
    for step in range(5):
        cosines, targets, norms = draw(8, 4, seed=step)
        t = 0.99 * t + 0.01 * cosines.double().gather(1, targets[:, None]).mean().item()
        head(cosines.requires_grad_(), targets, norms)
        assert head.t.item() == pytest.approx(t, rel=1e-5) and not head.t.requires_grad
    before = head.eval().t.clone()
    head(*draw(8, 4))
    assert torch.equal(head.t, before)


def test_t_counts_in_the_step_that_moves_it() -> None:
    cosines, targets = torch.tensor([[0.5, 0.9]]), torch.tensor([0])
    found = CurricularFace(0.5)(cosines, targets, torch.ones(1))
    assert found[0, 1].item() == pytest.approx(0.9 * (0.01 * 0.5 + 0.9))


def test_two_steps_before_their_backward_passes_do_not_disturb_each_other() -> None:
    head = CurricularFace(0.5)
    batches = [draw(8, 4, seed=seed) for seed in range(2)]
    leaves = [cosines.requires_grad_() for cosines, *_ in batches]
    outputs = [head(leaf, *rest) for leaf, (_, *rest) in zip(leaves, batches, strict=True)]
    for output, leaf in zip(outputs, leaves, strict=True):
        assert torch.autograd.grad(output.sum(), leaf)[0].isfinite().all()
