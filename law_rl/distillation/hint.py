"""Distillation from features: the student imitates the teacher's embedding or feature map itself."""

from torch import Tensor, nn
from torch.nn import functional

from law_rl.classification.networks.layers import Linear
from law_rl.counters import torch_generator
from law_rl.distillation.pairing import PerBatch, full_precision, paired, reduced


class Adapter(nn.Module):
    """A linear map from the student's width to the teacher's, trained with the student and dropped afterwards.

    Takes embeddings [N, student_width] to [N, teacher_width], and feature maps [N, student_width, H, W] to
    [N, teacher_width, H, W] as a 1x1 convolution of the same weights. Initial values, normal with variance
    1 / student_width, are drawn from (seed, "adapter"). Source: the regressor of FitNets, arXiv 1412.6550.
    """

    def __init__(self, student_width: int, teacher_width: int, *, seed: int) -> None:
        super().__init__()
        self.linear = Linear(student_width, teacher_width)
        nn.init.normal_(self.linear.weight, std=student_width**-0.5, generator=torch_generator(seed, "adapter"))
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        weight, bias = self.linear.weight, self.linear.bias
        if features.ndim not in (2, 4) or features.shape[1] != weight.shape[1]:
            raise ValueError(
                f"features have shape {tuple(features.shape)}: this Adapter takes embeddings [N, {weight.shape[1]}] "
                f"or feature maps [N, {weight.shape[1]}, H, W]; make one with the width of the student's layer."
            )
        if features.ndim == 2:
            return functional.linear(features, weight, bias)
        return functional.conv2d(features, weight[:, :, None, None], bias)


def mimic_loss(student: Tensor, teacher: Tensor, *, reduction: PerBatch = "mean") -> Tensor:
    """||f_student - f_teacher||^2 of embeddings [N, D]; of feature maps [N, C, H, W] the mean over positions.

    The mean over the batch, or with reduction "none" one value per sample [N]. Computed in float32 (float64 inputs:
    float64); the teacher gets no gradient. Raises ValueError for shapes that differ.

    Source: equation (2) of arXiv 1904.01802. That a map's positions count as so many embeddings is our reading of
    hint learning (arXiv 1412.6550).
    """
    if student.ndim not in (2, 4) or student.ndim != teacher.ndim:
        raise ValueError(
            f"student has shape {tuple(student.shape)} and teacher {tuple(teacher.shape)}: "
            "give both as embeddings [N, D], or both as feature maps [N, C, H, W]."
        )
    if student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"student features have width {student.shape[1]} and the teacher's {teacher.shape[1]}: "
            f"pass the student's through Adapter({student.shape[1]}, {teacher.shape[1]}, seed=...) first."
        )
    if student.shape[2:] != teacher.shape[2:]:
        raise ValueError(
            f"student maps are {tuple(student.shape[2:])} large and the teacher's {tuple(teacher.shape[2:])}: "
            "choose layers of one resolution, or pool the larger."
        )
    with full_precision(student):
        student, teacher = paired(student, teacher)
        losses = (student - teacher).square().sum(1).reshape(len(student), -1).mean(1)
        return reduced(losses, reduction)
