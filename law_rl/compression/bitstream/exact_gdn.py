"""Generalised divisive normalisation that every machine computes alike."""

import copy

import torch
from torch import Tensor, nn

from law_rl.compression.bitstream.grid import ACTIVATION_BITS, LIMIT, STEP
from law_rl.compression.network.gdn import GDN

LARGEST = 256.0
MOST_BITS, FEWEST_BITS = 28, 12
"""Of gamma behind the point."""

_SUM_BITS = 51


class FixedGDN(nn.Module):
    """The exact twin of a GDN: [B, C, H, W] -> the same shape, multiples of 2^-12.

    Inputs are cut to +-256 and their squares rounded to 2^-12. Each row of gamma is rounded to 2^-28, or as much more
    coarsely as keeps the sum of its products below 2^52 units, exact in any order; the row's beta to that unit. Square
    root, product and quotient are single operations, which IEEE 754 rounds alike everywhere; the result is rounded to
    2^-12, halves up, and cut to +-1024. Raises ValueError for a gamma or beta that is not finite or too large.
    """

    gamma: Tensor
    beta: Tensor

    def __init__(self, gdn: GDN) -> None:
        super().__init__()
        self.inverse = gdn.inverse
        with torch.no_grad():
            beta, gamma = copy.deepcopy(gdn).double().coefficients()
        bits = _bits(gamma)
        unit = torch.ldexp(torch.ones_like(beta), -bits)
        gamma, beta = (gamma / unit[:, None]).round(), (beta / (unit * STEP)).round()
        largest = gamma.sum(1) * (LARGEST**2 / STEP) + beta
        if not ((largest < 2.0**52) & (bits >= FEWEST_BITS)).all():
            raise ValueError("a GDN is not finite or too large for exact sums: train the model anew")
        scale = 2.0 ** (2 * ACTIVATION_BITS * (1 if self.inverse else -1))
        self.register_buffer("gamma", gamma * (unit * scale * STEP)[:, None])
        self.register_buffer("beta", (beta * (unit * scale * STEP))[:, None])

    def forward(self, values: Tensor) -> Tensor:
        values = values.clamp(-LARGEST, LARGEST)
        squares = (values * values).mul_(1 / STEP).add_(0.5).floor_().flatten(2)
        energy = torch.baddbmm(self.beta, self.gamma.expand(len(values), -1, -1), squares).view(values.shape)
        root = energy.sqrt_()
        units = root.mul_(values) if self.inverse else torch.div(values, root, out=root)
        return units.add_(0.5).floor_().mul_(STEP).clamp_(-LIMIT, LIMIT)


def _bits(gamma: Tensor) -> Tensor:
    """How many bits behind the point each row of gamma may have: from its sum, itself exact, so alike everywhere."""
    totals = (gamma * 2.0**MOST_BITS).round().sum(1)
    exponents = totals.frexp().exponent.where(totals < 2.0**52, _SUM_BITS)
    return (_SUM_BITS - exponents).clamp(max=MOST_BITS)
