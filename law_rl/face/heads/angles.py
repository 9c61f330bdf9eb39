"""Angles that are added to by way of their cosines and sines, with values and gradients that stay finite everywhere."""

import math

from torch import Tensor, where


def sines(cosines: Tensor) -> Tensor:
    """sqrt(1 - cos^2) of cosines of any shape: 0 where rounding has left a cosine at 1 or -1, or beyond.

    There the slope is infinite, and the gradient is set to 0, the mean of the slopes on the two sides of the angle.
    Written as (1 - cos)(1 + cos), which is exact near 1, where 1 - cos^2 is mostly rounding.
    """
    square = (1 - cosines) * (1 + cosines)
    flat = square <= 0
    return square.masked_fill(flat, 1.0).sqrt().masked_fill(flat, 0.0)


def widened(cosines: Tensor, margin: float) -> Tensor:
    """cos(theta + m) for theta up to pi - m, and cos(theta) - m sin(m) beyond, for cosines of theta of any shape.

    The second keeps it falling in theta all the way to pi, where cos(theta + m) would rise again. Source: ArcFace,
    arXiv 1801.07698, equation (3); beyond pi - m the authors' code.
    """
    inside = cosines > math.cos(math.pi - margin)
    rotated = cosines * math.cos(margin) - sines(cosines) * math.sin(margin)
    return where(inside, rotated, cosines - margin * math.sin(margin))
