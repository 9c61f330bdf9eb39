"""Attention transfer, as a control: the student looks at the places that the teacher looks at."""

from torch import Tensor

from law_rl.distillation.pairing import full_precision, paired
from law_rl.distillation.vectors import unit


def attention_transfer_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean square difference of attention maps: sums of squares over channels, flattened, at length 1.

    Feature maps [N, C, H, W], channels may differ. Computed in float32 (float64 inputs: float64); the teacher gets no
    gradient. Raises ValueError for maps of different sizes.

    Source: Zagoruyko and Komodakis, arXiv 1612.03928, with p = 2; as in the authors' code the mean over batch and
    positions of the squared difference, where the paper prints its norm.
    """
    if student.ndim != 4 or teacher.ndim != 4 or student.shape[2:] != teacher.shape[2:]:
        raise ValueError(
            f"student maps have shape {tuple(student.shape)} and the teacher's {tuple(teacher.shape)}: "
            "give maps [N, C, H, W] of one resolution: choose other layers, or pool the larger."
        )
    with full_precision(student):
        student, teacher = paired(student, teacher)
        return (_attention(student) - _attention(teacher)).square().mean()


def _attention(maps: Tensor) -> Tensor:
    return unit(maps.square().mean(1).flatten(1))
