"""Directions and distances at the points where formulas break down."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from law_rl.distillation.vectors import SHORTEST, distances, unit


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=60, deadline=None)
@given(values=hnp.arrays("float32", (3, 4), elements=st.floats(-(2.0**120), 2.0**120, width=32)))
def test_unit_vectors_have_length_one_or_zero(dtype: torch.dtype, values: object) -> None:
    vectors = torch.as_tensor(values, dtype=dtype).requires_grad_()
    directions = unit(vectors)
    lengths = directions.norm(dim=1)
    has_direction = vectors.abs().amax(1) > SHORTEST
    torch.testing.assert_close(lengths, has_direction.to(dtype), rtol=1e-5, atol=0)
    (gradient,) = torch.autograd.grad(directions.sum(), vectors)
    assert gradient.isfinite().all()
    assert not gradient[~has_direction].any()


def test_the_gradient_of_unit_is_right_although_the_scale_is_held_fixed() -> None:
    vectors = torch.tensor([[3.0, 4.0], [1.0, -1.0], [1e-6, 1e-5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(unit, (vectors[:2],))
    (gradient,) = torch.autograd.grad(unit(vectors)[:, 0].sum(), vectors)
    assert gradient[0].tolist() == pytest.approx([16 / 125, -12 / 125])


def test_equal_points_are_zero_apart_without_a_gradient() -> None:
    points = torch.tensor([[1.0, 2.0], [1.0, 2.0], [4.0, 6.0]], requires_grad=True)
    between = distances(points)
    assert between.tolist() == [[0.0, 0.0, 5.0], [0.0, 0.0, 5.0], [5.0, 5.0, 0.0]]
    (gradient,) = torch.autograd.grad(between[:2, :2].sum(), points)
    assert not gradient.any()
