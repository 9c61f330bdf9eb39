"""Relational losses of other papers, as controls: RKD (distances and angles) and similarity preserving."""

import torch
from torch import Tensor
from torch.nn import functional

from law_rl.distillation.pairing import full_precision, paired
from law_rl.distillation.vectors import SHORTEST, distances, unit


def rkd_distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over pairs i != j of huber(d_ij / mean(d) of the student, the same of the teacher), d_ij = ||f_i - f_j||.

    Embeddings [N, D] of the student and [N, E] of the teacher; mean(d) is over pairs of distinct samples; huber turns
    linear at 1. A batch without pairs, or all in one point, is at distance 0. Computed in float32 (float64 inputs:
    float64); the teacher gets no gradient. Raises ValueError for other shapes.

    Source: Park et al., arXiv 1904.05068, equations (6) to (8). The authors' code divides by N^2, not N (N - 1).
    """
    _check_embeddings(student, teacher)
    with full_precision(student):
        student, teacher = paired(student, teacher)
        errors = functional.huber_loss(_relative_distances(student), _relative_distances(teacher), reduction="sum")
        return errors / max(1, len(student) * (len(student) - 1))


def rkd_angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over triplets of distinct i, j, k of huber(cos of the student's angle at j, the same of the teacher).

    Embeddings [N, D] and [N, E]; takes N^3 numbers of memory. The angle at a point that coincides with one of its ends
    has cosine 0. Fewer than 3 samples: 0. Precision, gradient and errors as `rkd_distance_loss`.

    Source: Park et al., arXiv 1904.05068, equations (9) and (10). The authors' code divides by N^3.
    """
    _check_embeddings(student, teacher)
    with full_precision(student):
        student, teacher = paired(student, teacher)
        errors = functional.huber_loss(_cosines_at(student), _cosines_at(teacher), reduction="sum")
        n = len(student)
        return errors / max(1, n * (n - 1) * (n - 2))


def similarity_preserving_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """(1 / N^2) ||G_student - G_teacher||_F^2, G the Gram matrix of the flattened features with rows of length 1.

    Features [N, ...] of any shapes, as only the batch must agree. Computed in float32 (float64 inputs: float64); the
    teacher gets no gradient. Raises ValueError for different batches. Source: Tung and Mori, arXiv 1907.09682.
    """
    with full_precision(student):
        student, teacher = paired(student, teacher)
        return (_similarities(student) - _similarities(teacher)).square().mean()


def _check_embeddings(student: Tensor, teacher: Tensor) -> None:
    if student.ndim != 2 or teacher.ndim != 2:
        raise ValueError(
            f"student has shape {tuple(student.shape)} and teacher {tuple(teacher.shape)}: "
            "give embeddings [N, D], of feature maps the pooled ones."
        )


def _relative_distances(points: Tensor) -> Tensor:
    """Distances [N, N] over their mean between distinct samples."""
    between = distances(points)
    mean = between.sum() / max(1, len(points) * (len(points) - 1))
    return between / mean.clamp_min(SHORTEST)


def _cosines_at(points: Tensor) -> Tensor:
    """Cosines [j, i, k] of the angle at point j between points i and k; no error where i = k."""
    directions = unit(points[None, :, :] - points[:, None, :])
    cosines = directions @ directions.mT
    same = torch.eye(len(points), dtype=torch.bool, device=points.device)
    return cosines.masked_fill(same, 1.0)


def _similarities(features: Tensor) -> Tensor:
    rows = features.flatten(1)
    return unit(rows @ rows.T)
