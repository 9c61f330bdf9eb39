"""What all distillation losses share: how student and teacher meet, and in which precision."""

from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch import Tensor

PerBatch = Literal["mean", "none"]


def paired(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the wider of their dtypes, float32 at least; the teacher without gradient.

    Raises ValueError where the two do not hold the same number of samples, or none.
    """
    if student.ndim == 0 or teacher.ndim == 0 or len(student) != len(teacher) or len(student) == 0:
        raise ValueError(
            f"student has shape {tuple(student.shape)} and teacher {tuple(teacher.shape)}: "
            "give both the same batch of at least one sample, samples first."
        )
    dtype = torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)
    return student.to(dtype), teacher.detach().to(dtype)


def paired_embeddings(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """`paired` for embeddings [N, D] of equal D; ValueError otherwise."""
    if student.ndim != 2 or teacher.ndim != 2:
        raise ValueError(
            f"student has shape {tuple(student.shape)} and teacher {tuple(teacher.shape)}: "
            "give embeddings [N, D], of feature maps the pooled ones."
        )
    if student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"student embeddings have {student.shape[1]} dimensions and the teacher's {teacher.shape[1]}: "
            "put an Adapter on the student's, or give both networks embedding layers of one width."
        )
    return paired(student, teacher)


def full_precision(tensor: Tensor) -> AbstractContextManager[None]:
    """Switches autocast off on the tensor's device: powers of cosines and divergences lose too much in half."""
    return torch.autocast(tensor.device.type, enabled=False)


def reduced(losses: Tensor, reduction: PerBatch) -> Tensor:
    """The mean of losses [N], or the losses as they are; ValueError for another reduction."""
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction is {reduction!r}: use mean, or none for one loss per sample.")
    return losses.mean() if reduction == "mean" else losses
