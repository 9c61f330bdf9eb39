"""Equation (7)."""

import math

import pytest
import torch

from law_rl.distillation.total import cckd_total

CE, KD, CC = torch.tensor(2.0), torch.tensor(3.0), torch.tensor(500.0)


def test_the_terms_are_weighted() -> None:
    assert cckd_total(CE, KD, CC, alpha=0.25, beta=0.01).item() == pytest.approx(0.5 + 2.25 + 5.0)
    assert cckd_total(CE, KD, CC).item() == pytest.approx(3.0 + 1.5)


def test_a_term_without_weight_does_not_count_even_if_not_finite() -> None:
    nan = torch.tensor(math.nan)
    assert cckd_total(nan, KD, nan, alpha=0.0, beta=0.0) == 3.0
    assert cckd_total(CE, nan, CC, alpha=1.0, beta=0.01) == 7.0


def test_gradients_are_the_weights() -> None:
    losses = [loss.clone().requires_grad_() for loss in (CE, KD, CC)]
    gradients = torch.autograd.grad(cckd_total(*losses, alpha=0.25, beta=0.5), losses)
    assert [gradient.item() for gradient in gradients] == [0.25, 0.75, 0.5]


def test_arguments_are_checked() -> None:
    for alpha in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="alpha is"):
            cckd_total(CE, KD, CC, alpha=alpha)
    for beta in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="beta is"):
            cckd_total(CE, KD, CC, beta=beta)
    with pytest.raises(ValueError, match=r"instance has shape \(4,\): give the batch's loss"):
        cckd_total(CE, torch.zeros(4), CC)
