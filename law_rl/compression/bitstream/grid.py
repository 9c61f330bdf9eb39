"""The numbers that exact networks compute with: multiples of 2^-12 in float64."""

import torch
from torch import Tensor

ACTIVATION_BITS, LIMIT = 12, 1024.0
"""Layers give multiples of 2^-12 from -1024 to 1024."""

STEP = 2.0**-ACTIVATION_BITS


def to_grid(values: Tensor) -> Tensor:
    """`values` as float64, rounded to multiples of 2^-12, halves up; not in place.

    A pixel n / 255 gives the same whether the division was rounded to float32 or to float64, up or down: it is at least
    2^-12 / 510 from where the rounding changes.
    """
    return (values.double() * 2.0**ACTIVATION_BITS).add_(0.5).floor_().mul_(STEP)


def to_pixels(values: Tensor) -> Tensor:
    """Multiples of 2^-12 as uint8, floor(255 x + 1/2) cut to 0..255: exact, as 255 x has 20 bits once x is in 0..1."""
    return values.clamp(0, 1).mul_(255).add_(0.5).floor_().to(torch.uint8)
