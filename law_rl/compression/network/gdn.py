"""Generalised divisive normalisation, the activation of the transforms."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.network.bounds import bounded

BETA_MINIMUM = 1e-6
GAMMA_START = 0.1
OFFSET = 2.0**-18


class GDN(nn.Module):
    """x_i / sqrt(beta_i + sum_j gamma_ij x_j^2) over the channels of [B, C, H, W]; with `inverse` the product instead.

    beta >= 1e-6 and gamma >= 0 are stored as square roots with an offset, beta = max(b, bound)^2 - 2^-36, so that
    gradients do not vanish at 0. Starts at beta 1 and gamma 0.1 on the diagonal. The sum is a 1 x 1 convolution of the
    squares. Under autocast it runs in the low precision, which bfloat16's range allows.
    Source: Balle et al., arXiv 1511.06281, equation (4); the stored form is that of their released code.
    """

    def __init__(self, channels: int, *, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter((torch.ones(channels) + OFFSET**2).sqrt())
        self.gamma = nn.Parameter((GAMMA_START * torch.eye(channels) + OFFSET**2).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        beta, gamma = self.coefficients()
        energy = functional.conv2d(x * x, gamma[:, :, None, None], beta)
        if torch.is_grad_enabled():
            return x * energy.sqrt() if self.inverse else x / energy.sqrt()
        return (energy.sqrt_() if self.inverse else energy.rsqrt_()).mul_(x)

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """beta [C] and gamma [C, C], of which the stored parameters are the roots."""
        beta = bounded(self.beta, math.sqrt(BETA_MINIMUM + OFFSET**2), math.inf).square() - OFFSET**2
        return beta, bounded(self.gamma, OFFSET, math.inf).square() - OFFSET**2
