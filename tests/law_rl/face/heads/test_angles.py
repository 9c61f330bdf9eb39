import math

import numpy as np
import pytest
import torch

from law_rl.face.heads.angles import sines, widened

NEAR_ONE = [np.nextafter(np.float32(1), np.float32(0)), 1 - 1e-6, 1 - 1e-4, 0.999]
MARGINS = [0.0, 0.1, 0.4, 0.5, 1.0]


def test_sines_keep_their_precision_near_1() -> None:
    cosines = torch.tensor([*NEAR_ONE, *(-float(c) for c in NEAR_ONE), 0.0, 0.6], dtype=torch.float32).requires_grad_()
    found = sines(cosines)
    exact = np.sqrt(1 - np.square(cosines.detach().numpy().astype(np.float128)))
    np.testing.assert_allclose(found.detach().numpy(), exact.astype(np.float64), rtol=1e-6)
    (slopes,) = torch.autograd.grad(found.sum(), cosines)
    np.testing.assert_allclose(slopes.numpy(), -cosines.detach().numpy().astype(np.float64) / exact, rtol=1e-6)


@pytest.mark.parametrize("cosine", [1.0, -1.0, 1.0000001, -1.0000001, 1.001])
def test_the_sine_is_0_without_gradient_where_a_cosine_is_1_or_beyond(cosine: float) -> None:
    cosines = torch.tensor([cosine], requires_grad=True)
    (slope,) = torch.autograd.grad(sines(cosines).sum(), cosines)
    assert sines(cosines).item() == 0.0 and slope.item() == 0.0


@pytest.mark.parametrize("margin", MARGINS)
def test_a_wider_angle_never_has_the_larger_cosine(margin: float) -> None:
    theta = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    found = widened(theta.cos(), margin)
    assert (found.diff() < 1e-12).all()
    inside = theta < math.pi - margin - 1e-6
    torch.testing.assert_close(found[inside], (theta[inside] + margin).cos(), rtol=0, atol=1e-12)
    assert not torch.equal(found, theta.cos()) or margin == 0


@pytest.mark.parametrize("margin", MARGINS)
def test_the_slope_is_that_of_the_values(margin: float) -> None:
    theta = torch.linspace(0.01, math.pi - 0.01, 101, dtype=torch.float64)
    theta = theta[(theta - (math.pi - margin)).abs() > 1e-3]
    assert torch.autograd.gradcheck(lambda cosines: widened(cosines, margin), (theta.cos().requires_grad_(),))
