"""Correlation congruence: the student relates the samples of a batch to each other as the teacher does."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from law_rl.distillation.pairing import full_precision, paired_embeddings
from law_rl.distillation.vectors import unit

Kernel = Literal["rbf", "bilinear", "mmd"]
Reduction = Literal["mean", "sum"]


def correlation_congruence_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    kernel: Kernel = "rbf",
    gamma: float = 0.4,
    order: int = 2,
    normalize: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """(1 / N^2) sum_ij (k(f_i^s, f_j^s) - k(f_i^t, f_j^t))^2 of embeddings [N, D]; reduction "sum" leaves out 1 / N^2.

    rbf:       k(x, y) = sum_{p=0..order} exp(-2 gamma) (2 gamma)^p / p! (x . y)^p, which is exp(-gamma ||x - y||^2) cut
               after `order` where x and y have length 1
    bilinear:  k(x, y) = x . y
    mmd:       k(x, y) = |mean(x) - mean(y)|, means over the D entries

    The paper does not say whether features are normalised, but its expansion holds for unit vectors alone: so
    `normalize` is our reading, and the rbf kernel without it warns. The weight of this loss in a total depends on
    `normalize` and `reduction`: for unit vectors and "mean" it is far below 1. Computed in float32 (float64 inputs:
    float64); the teacher gets no gradient; rbf and bilinear can be differentiated once. Raises ValueError for shapes
    that differ and settings out of range. `gamma` and `order` are the rbf kernel's.

    Source: equations (3) to (6), (8), (9) of arXiv 1904.01802; gamma 0.4 and order 2 are its main setting.
    """
    if kernel not in get_args(Kernel):
        raise ValueError(f"kernel is {kernel!r}: use one of {', '.join(get_args(Kernel))}.")
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction is {reduction!r}: use one of {', '.join(get_args(Reduction))}.")
    if kernel == "rbf" and not normalize:
        warnings.warn("the expansion of the rbf kernel holds for unit vectors: use normalize=True.", stacklevel=2)
    with full_precision(student):
        student, teacher = paired_embeddings(student, teacher)
        if normalize:
            student, teacher = unit(student), unit(teacher)
        if kernel == "mmd":
            total = (_mean_discrepancies(student) - _mean_discrepancies(teacher)).square().sum()
        else:
            coefficients = (0.0, 1.0) if kernel == "bilinear" else rbf_coefficients(gamma, order)
            total = _polynomial_congruence(student, teacher, coefficients)
        return total if reduction == "sum" else total / len(student) ** 2


def rbf_coefficients(gamma: float, order: int) -> tuple[float, ...]:
    """exp(-2 gamma) (2 gamma)^p / p! for p = 0..order: the rbf kernel of unit vectors as a polynomial in their cosine.

    Source: equation (9) of arXiv 1904.01802. Raises ValueError for a gamma not above 0 or an order below 1.
    """
    if not 0 < gamma < math.inf:
        raise ValueError(f"gamma is {gamma}: give a finite number above 0 (0.4 is the paper's).")
    if order < 1:
        raise ValueError(f"order is {order}: give at least 1 (2 is the paper's); order 0 is a constant kernel.")
    return tuple(math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p) for p in range(order + 1))


def polynomial(values: Tensor, coefficients: Sequence[float]) -> Tensor:
    """sum_p coefficients[p] values^p elementwise, by Horner's rule; at least one coefficient."""
    *lower, highest = coefficients
    if not lower:
        return torch.full_like(values, highest)
    result = (values * highest).add_(lower[-1])
    for coefficient in reversed(lower[:-1]):
        result.mul_(values).add_(coefficient)
    return result


def _polynomial_congruence(student: Tensor, teacher: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    total: Tensor = _PolynomialCongruence.apply(student, teacher, coefficients)  # type: ignore[no-untyped-call]
    return total


def _mean_discrepancies(features: Tensor) -> Tensor:
    means = features.mean(1)
    return (means[:, None] - means[None, :]).abs()


class _PolynomialCongruence(torch.autograd.Function):
    """sum_ij (k(S S^T) - k(T T^T))_ij^2 for a polynomial k.

    With D the difference and G = S S^T, the gradient to S is (W + W^T) S, W = 2 D k'(G) elementwise; W is symmetric,
    so that is 4 (D k'(G)) S. It is made in the forward pass: what waits for the backward pass is [N, D], not [N, N].
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, coefficients: tuple[float, ...]) -> Tensor:
        gram = student @ student.T
        difference = polynomial(gram, coefficients).sub_(polynomial(teacher @ teacher.T, coefficients))
        total = difference.square().sum()
        if ctx.needs_input_grad[0]:
            slope = polynomial(gram, [p * coefficient for p, coefficient in enumerate(coefficients)][1:])
            ctx.save_for_backward(difference.mul_(slope) @ student)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (product,) = ctx.saved_tensors
        return product * (4 * gradient), None, None
