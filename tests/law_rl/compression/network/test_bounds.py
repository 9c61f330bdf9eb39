"""The clamp lets values come back, and keeps them from going further out."""

import math

import pytest
import torch

from law_rl.compression.network.bounds import bounded


@pytest.mark.parametrize(
    ("value", "slope", "passes"),
    [(0.5, 1.0, True), (-1.0, 1.0, False), (-1.0, -1.0, True), (2.0, 1.0, True), (2.0, -1.0, False)],
)
def test_gradient_passes_inside_and_on_the_way_back(value: float, slope: float, passes: bool) -> None:
    values = torch.tensor(value, requires_grad=True)
    result = bounded(values, 0.0, 1.0)
    (slope * result).backward()
    assert result.item() == min(max(value, 0.0), 1.0)
    assert values.grad is not None
    assert values.grad.item() == (slope if passes else 0.0)


def test_one_side_may_be_open() -> None:
    assert bounded(torch.tensor([-3.0, 1e30]), -1.0, math.inf).tolist() == [-1.0, pytest.approx(1e30)]
