"""Directions and distances of vectors, with values and gradients that stay finite everywhere."""

import math

import torch
from torch import Tensor

SHORTEST = 1e-12
"""Vectors whose largest entry is not above this have no direction."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors [..., D] at length 1; one without a direction becomes 0 and gets no gradient.

    Entries are first divided by the largest of their vector, so that no square overflows or vanishes.
    """
    largest = vectors.detach().abs().amax(-1, keepdim=True)
    scaled = vectors / largest.masked_fill(largest <= SHORTEST, math.inf)
    # a scaled vector with a direction is at least 1 long: the bound acts on zero vectors alone
    length: Tensor = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    return scaled / length.clamp_min(0.5)


def distances(points: Tensor) -> Tensor:
    """Euclidean distances [N, N] of points [N, D], taken from differences: equal points are 0 apart, gradient 0."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
