"""Feature consistency: the student puts each face where the teacher puts it, on the unit sphere."""

from torch import Tensor

from law_rl.distillation.hint import mimic_loss
from law_rl.distillation.pairing import PerBatch, full_precision, paired_embeddings
from law_rl.distillation.vectors import unit


def feature_consistency_loss(student: Tensor, teacher: Tensor, *, reduction: PerBatch = "mean") -> Tensor:
    """||e_student - e_teacher||^2 = 2 - 2 cos of embeddings [B, D] scaled to length 1: from 0 to 4.

    The mean over the batch, or with reduction "none" one value per sample [B]. An embedding without a direction counts
    as 0 and gets no gradient. Computed in float32 (float64 inputs: float64); the teacher gets no gradient. Raises
    ValueError for shapes that differ. Of embeddings as they are: `law_rl.distillation.hint.mimic_loss`.

    Source: feature consistency distillation in the abstract of CoupleFace (arXiv 2204.05502). Its equation was not
    available: that both are normalised, and the factor 1, are our reading.
    """
    with full_precision(student):
        student, teacher = paired_embeddings(student, teacher)
        return mimic_loss(unit(student), unit(teacher), reduction=reduction)
