"""The entropy model of the latents: a mixture of Gaussians, whose parameters the hyper-decoder gives.

Raw parameters [B, groups * K * M, h, w] hold scale levels, means and weights, in this order, K groups of M channels
each; with one component there are no weights. A level l from 0 to 63 is the scale 0.11 (256 / 0.11)^(l / 63); means are
in units of the latents; weights are logits.
Source: EDIC (arXiv 2002.03370) after a third party's code, and Cheng et al., arXiv 2001.01568, equation (7).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from law_rl.compression.network.bounds import bounded
from law_rl.compression.network.log_normal import log_normal

LEVELS = 64
SCALE_MINIMUM = 0.11
SCALE_MAXIMUM = 256.0
LEVEL_STEP = math.log(SCALE_MAXIMUM / SCALE_MINIMUM) / (LEVELS - 1)
"""Nepers between two levels."""

FRACTION = 16
"""Means and logits are coded in units of 1 / 16."""

MAXIMUM_BITS = 24.0
"""No symbol costs more: the coder escapes below a probability of 2^-24."""


def level_of(scales: Tensor) -> Tensor:
    """The levels, fractions included, of scales."""
    return (scales / SCALE_MINIMUM).log() / LEVEL_STEP


class Mixture(NamedTuple):
    """Scale levels, means and logits, each [B, K, M, h, w]; no logits for one component."""

    levels: Tensor
    means: Tensor
    logits: Tensor | None


def split(raw: Tensor, components: int) -> Mixture:
    """The parameters in raw [B, groups * K * M, h, w], as views."""
    groups = 2 if components == 1 else 3
    parts = raw.view(raw.shape[0], groups, components, -1, *raw.shape[2:]).unbind(1)
    return Mixture(parts[0], parts[1], parts[2] if groups == 3 else None)


def on_grid(raw: Tensor, components: int) -> Tensor:
    """Raw parameters as the coder has them: levels whole and from 0 to 63, means and logits in sixteenths."""
    scales = raw.shape[1] // (2 if components == 1 else 3)
    levels = raw[:, :scales].round().clamp(0, LEVELS - 1)
    return torch.cat([levels, _sixteenths(raw[:, scales:])], 1)


def mixture_bits(y: Tensor, raw: Tensor, components: int) -> Tensor:
    """-log2 sum_k w_k [Phi((y + 1/2 - mu_k) / s_k) - Phi((y - 1/2 - mu_k) / s_k)] of latents [B, M, h, w], same shape.

    At most 24 bits, with a gradient that still leads a latent back. Computed from left tails and in logarithms, so
    that it is finite, with finite gradients, for |y - mu| up to 1e4. float32, also under autocast (float64 stays).
    """
    with torch.autocast(y.device.type, enabled=False):
        dtype = torch.promote_types(y.dtype, torch.float32)
        levels, means, logits = split(raw.to(dtype), components)
        inverse_scales = torch.exp(-LEVEL_STEP * bounded(levels, 0, LEVELS - 1)) / SCALE_MINIMUM
        log_probabilities = _log_bin(y.to(dtype).unsqueeze(1) - means, inverse_scales)
        if logits is None:
            logarithm = log_probabilities.squeeze(1)
        else:
            logarithm = torch.logsumexp(log_probabilities + logits.log_softmax(1), 1)
        return bounded(logarithm / -math.log(2), 0.0, MAXIMUM_BITS)


def quantise(y: Tensor, raw: Tensor, components: int) -> Tensor:
    """Latents [B, M, h, w] on their grid: whole numbers off the mean (in sixteenths) for one component, else whole
    numbers. The gradient to y is that of the identity; the parameters get none."""
    offset = _sixteenths(split(raw, 1).means.squeeze(1)) if components == 1 else torch.zeros_like(y)
    rounded = (y - offset).round() + offset
    return y + (rounded - y).detach()


def _sixteenths(values: Tensor) -> Tensor:
    return torch.floor(values * FRACTION + 0.5) / FRACTION


def _log_bin(deviations: Tensor, inverse_scales: Tensor) -> Tensor:
    """log [Phi((d + 1/2) / s) - Phi((d - 1/2) / s)], through the left tails of -|d|."""
    distance = -deviations.abs()
    upper, lower = log_normal((distance + 0.5) * inverse_scales), log_normal((distance - 0.5) * inverse_scales)
    logarithm: Tensor = upper + torch.log(-torch.expm1(lower - upper))
    return logarithm
