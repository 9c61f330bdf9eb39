import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.face.heads.arcface import ArcFace, Gradient
from tests.law_rl.face.heads.references import Floats, arc, assert_close, draw, values_and_slopes

ONE = float(np.nextafter(np.float32(1), np.float32(0)))


def reference(cosines: Tensor, targets: Tensor, margin: float, gradient: Gradient) -> tuple[Floats, Floats]:
    values = cosines.double().numpy().copy()
    slopes = np.ones_like(values)
    for row, column in enumerate(targets.tolist()):
        values[row, column], slope = arc(values[row, column], margin)
        slopes[row, column] = slope if gradient == "exact" else 1.0
    return values, slopes


@pytest.mark.parametrize("gradient", ["exact", "straight_through"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), samples=st.integers(1, 9), classes=st.integers(1, 7), margin=st.floats(0.01, 1))
def test_values_and_gradients(gradient: Gradient, seed: int, samples: int, classes: int, margin: float) -> None:
    cosines, targets, norms = draw(samples, classes, seed)
    cosines[(cosines - math.cos(math.pi - margin)).abs() < 1e-6] = 0.5  # either rule is right at the step
    found = values_and_slopes(ArcFace(margin, gradient), cosines, targets, norms)
    assert_close(found, reference(cosines, targets, margin, gradient))


@pytest.mark.parametrize("gradient", ["exact", "straight_through"])
@pytest.mark.parametrize("cosine", [1.0, -1.0, ONE, -ONE, 1 - 1e-5, 0.0, -0.8776, -0.87751])
@pytest.mark.parametrize("classes", [1, 3])
def test_angles_at_the_ends(gradient: Gradient, cosine: float, classes: int) -> None:
    cosines, targets = torch.full((2, classes), cosine), torch.zeros(2, dtype=torch.int64)
    found = values_and_slopes(ArcFace(0.5, gradient), cosines, targets, torch.ones(2))
    assert_close(found, reference(cosines, targets, 0.5, gradient))


def test_a_cosine_beyond_1_by_rounding_is_taken() -> None:
    cosines = torch.tensor([[1.0000001, -1.0000001]])
    for target in (0, 1):
        found, slopes = values_and_slopes(ArcFace(0.5, "exact"), cosines, torch.tensor([target]), torch.ones(1))
        assert np.isfinite(found).all() and np.isfinite(slopes).all()
        exact = arc([1.0, -1.0][target], 0.5)[0]
        assert found[0, target] == pytest.approx(exact, abs=1e-6)


def test_straight_through_has_the_values_of_exact_and_another_gradient() -> None:
    batch = draw(64, 5)
    exact, straight = (values_and_slopes(ArcFace(0.5, gradient), *batch) for gradient in ("exact", "straight_through"))
    np.testing.assert_allclose(exact[0], straight[0], rtol=0, atol=1e-6)
    assert (straight[1] == 1).all()
    theta = batch[0].double().gather(1, batch[1][:, None]).acos().numpy()
    own = np.take_along_axis(exact[1], batch[1][:, None].numpy(), 1)
    inside = theta < math.pi - 0.5 - 1e-6
    np.testing.assert_allclose(own[inside], (np.sin(theta + 0.5) / np.sin(theta))[inside], rtol=1e-5, atol=1e-5)
    assert np.abs(own[inside] - 1).mean() > 0.1
