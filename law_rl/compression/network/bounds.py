"""A clamp that values can come back from."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def bounded(values: Tensor, lower: float, upper: float) -> Tensor:
    """`values` clamped to [lower, upper]; the gradient is that of the identity, but for values out of range it passes
    only where a step against it leads back. Without that, a parameter that left the range would stay out for ever.

    Source: the idea is that of the bounds in Balle et al., arXiv 1802.01436 (their released code); both sides are ours.
    """
    result: Tensor = _Bounded.apply(values, lower, upper)  # type: ignore[no-untyped-call]
    return result


class _Bounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, lower: float, upper: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.lower, ctx.upper = lower, upper
        return values.clamp(lower, upper)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (values,) = ctx.saved_tensors
        stuck = ((values < ctx.lower) & (gradient > 0)) | ((values > ctx.upper) & (gradient < 0))
        return gradient.masked_fill(stuck, 0.0), None, None
