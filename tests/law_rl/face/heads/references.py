"""Margin heads by their equations, sample by sample and in float64, with the slope of every entry."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.heads import Head

Floats = NDArray[np.float64]


def arc(cosine: float, margin: float) -> tuple[float, float]:
    """cos(theta + m) and its slope in cos(theta); beyond pi - m the line that the docstring states."""
    theta = math.acos(cosine)
    if theta >= math.pi - margin:
        return cosine - margin * math.sin(margin), 1.0
    slope = math.sin(theta + margin) / math.sin(theta) if theta > 0 else math.cos(margin)
    return math.cos(theta + margin), slope


def draw(samples: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Cosines float32 [B, C] over their whole range, targets int64 [B] and norms float32 [B]."""
    generator = torch_generator(seed, "cosines")
    cosines = (torch.rand(samples, classes, generator=generator) * math.pi).cos()
    targets = torch.randint(classes, (samples,), generator=generator)
    return cosines, targets, 30 * torch.rand(samples, generator=generator)


def values_and_slopes(head: Head, cosines: Tensor, targets: Tensor, norms: Tensor) -> tuple[Floats, Floats]:
    """What the head gives, and how much each entry of it changes with the same entry of the cosines."""
    leaf = cosines.clone().requires_grad_()
    found = head(leaf, targets, norms)
    assert found.dtype == cosines.dtype and found.shape == cosines.shape
    (gradient,) = torch.autograd.grad(found.sum(), leaf)
    return found.detach().double().numpy(), gradient.double().numpy()


def assert_close(found: tuple[Floats, Floats], expected: tuple[Floats, Floats]) -> None:
    """Within 1e-5; of slopes above 1, which grow without bound near cosines of 1, 1e-5 of the slope."""
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
