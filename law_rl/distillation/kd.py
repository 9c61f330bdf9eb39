"""Knowledge distillation from logits."""

import torch
from torch import Tensor

from law_rl.distillation.pairing import PerBatch, full_precision, paired, reduced


def kd_loss(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float, *, reduction: PerBatch = "mean"
) -> Tensor:
    """T^2 KL(p_teacher || p_student) in nats with p = softmax(logits / T), from logits [N, C].

    The mean over the batch, or with reduction "none" one value per sample [N], to be weighted. Computed in float32
    (float64 inputs: float64); the teacher gets no gradient. A class that the teacher rules out (logit -inf) adds 0.
    Raises ValueError for shapes that differ and for a temperature that is not above 0.

    Source: Hinton et al., arXiv 1503.02531; equation (1) of arXiv 1904.01802, which prints the student first: as
    everywhere else, the expectation here is the teacher's.
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}: give a finite number above 0 (4 is usual).")
    if student_logits.ndim != 2 or student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"student logits have shape {tuple(student_logits.shape)} and the teacher's {tuple(teacher_logits.shape)}: "
            "give logits [N, C] of the same samples over the same classes."
        )
    with full_precision(student_logits):
        student, teacher = paired(student_logits, teacher_logits)
        log_student = torch.log_softmax(student / temperature, 1)
        log_teacher = torch.log_softmax(teacher / temperature, 1)
        probability = log_teacher.exp()
        surprise = (log_teacher - log_student).masked_fill(probability == 0, 0.0)
        return reduced((probability * surprise).sum(1) * temperature**2, reduction)
