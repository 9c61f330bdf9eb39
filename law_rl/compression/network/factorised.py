"""The entropy model of the hyper-latents: one learned distribution a channel."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.network.bounds import bounded
from law_rl.compression.network.mixture import MAXIMUM_BITS

STAGES = 4


class FactorisedPrior(nn.Module):
    """The distribution function of channel c is sigmoid(f4(f3(f2(f1(z))))) with f(z) = g + tanh(a) tanh(g) and
    g = softplus(h) z + b, where the last stage has no tanh: monotone whatever the parameters.

    Starts as a logistic distribution of scale 4.3 around 0 in each channel.
    Source: Balle et al., arXiv 1802.01436, appendix 6.1, with stages of one unit as in EDIC's released baseline.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.zeros(STAGES, channels))
        self.shifts = nn.Parameter(torch.zeros(STAGES, channels))
        self.bends = nn.Parameter(torch.zeros(STAGES - 1, channels))

    def logits(self, values: Tensor) -> Tensor:
        """log(F / (1 - F)) of values [B, C, ...], in the parameters' dtype."""
        shape = (-1,) + (1,) * (values.ndim - 2)
        result = values.to(self.slopes.dtype)
        for stage in range(STAGES):
            slope, shift = functional.softplus(self.slopes[stage]), self.shifts[stage]
            result = result * slope.view(shape) + shift.view(shape)
            if stage < STAGES - 1:
                result = result + self.bends[stage].tanh().view(shape) * result.tanh()
        return result

    def cdf(self, values: Tensor) -> Tensor:
        """The distribution function F of values [B, C, ...]; in float64 after `prior.double()`."""
        return self.logits(values).sigmoid()

    def bits(self, z: Tensor) -> Tensor:
        """-log2 [F(z + 1/2) - F(z - 1/2)] of hyper-latents [B, C, h, w], same shape; at most 24, as the latents'."""
        with torch.autocast(z.device.type, enabled=False):
            z = z.to(self.slopes.dtype)
            lower, upper = self.logits(z - 0.5), self.logits(z + 0.5)
            return bounded(_log_difference(upper, lower) / -math.log(2), 0.0, MAXIMUM_BITS)


def _log_difference(upper: Tensor, lower: Tensor) -> Tensor:
    """log(sigmoid(upper) - sigmoid(lower)), through log sigmoid, which does not lose the tails."""
    right = (upper + lower) > 0
    upper, lower = torch.where(right, -lower, upper), torch.where(right, -upper, lower)
    high, low = functional.logsigmoid(upper), functional.logsigmoid(lower)
    return high + torch.log(-torch.expm1(low - high))
