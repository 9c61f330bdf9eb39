"""The noise that stands for rounding in training."""

import torch
from torch import Tensor


def uniform_noise(like: Tensor, noise: torch.Generator) -> Tensor:
    """Values from -1/2 to 1/2 in the shape of `like`."""
    return torch.rand(like.shape, generator=noise, device=like.device, dtype=like.dtype) - 0.5
