"""Evaluation-oriented distillation, as a control: pairs of a batch rank among false matches as the teacher's do."""

from collections.abc import Mapping

import torch
from torch import Tensor

from law_rl.distillation.pairing import full_precision, paired_embeddings
from law_rl.distillation.vectors import unit

PARTS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
"""One threshold each: the cosine that this part of the false matches of a batch reaches."""

MOMENTUM, TEMPERATURE = 0.01, 0.01
HARDEST_NEGATIVES = 2000
POSITIVE_WEIGHT, NEGATIVE_WEIGHT = 0.02, 0.01


class EvaluationKnowledge:
    """0.02 x the mean over positive pairs of (rank_student - rank_teacher)^2 + 0.01 x that over hard negative pairs.

    A pair is two samples of the batch, its rank is sum_a sigmoid((cosine - threshold_a) / 0.01), about how many
    thresholds it passes. A batch's thresholds are its negative cosines, sorted downwards, at places n // 10, n // 100,
    ..., n // 1,000,000 of n; kept as moving averages that take 0.01 of each batch, of student and teacher apart. Hard
    are the 2000 negatives with the largest student cosine.

    Source: our reading of the code that the authors of EKD (Huang et al., CVPR 2022) released. There averages start
    at 0, which takes some 300 batches to forget; here they start at the first batch's thresholds.
    """

    def __init__(self, device: str = "cpu") -> None:
        # a threshold at infinity is not known yet: no pair passes it
        self._thresholds = torch.full((2, len(PARTS)), torch.inf, device=device)
        self._parts = torch.tensor(PARTS, device=device)

    def loss(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
        """The loss [] of embeddings [B, D] with targets int64 [B], after their batch's thresholds were taken in.

        A batch without positives, or without negatives, has 0 for that part. Computed in float32; the teacher gets no
        gradient. Raises ValueError for shapes that differ.
        """
        with full_precision(student):
            student, teacher = paired_embeddings(student, teacher)
            if targets.shape != student.shape[:1]:
                raise ValueError(f"targets have shape {tuple(targets.shape)}: give one per sample, [{len(student)}]")
            first, second = torch.triu_indices(len(targets), len(targets), 1, device=targets.device)
            cosines = torch.stack([(e @ e.T).flatten() for e in (unit(student), unit(teacher))])
            cosines = cosines.index_select(1, first * len(targets) + second)
            positive = targets[first] == targets[second]
            negative_cosines = cosines.detach().masked_fill(positive, -torch.inf)
            self._take_in(negative_cosines)
            hard = negative_cosines[0].topk(min(HARDEST_NEGATIVES, len(positive))).indices
            negatives = self._mismatch(cosines.index_select(1, hard), ~positive[hard])
            return POSITIVE_WEIGHT * self._mismatch(cosines, positive) + NEGATIVE_WEIGHT * negatives

    def _take_in(self, negatives: Tensor) -> None:
        """Renews the thresholds by negative cosines [2, P], -inf at pairs that are no negatives."""
        if negatives.shape[1] == 0:
            return
        count = (negatives[0] > -torch.inf).sum()
        places = count // self._parts
        largest = negatives.topk(negatives.shape[1] // PARTS[0] + 1, dim=1).values
        batch = largest.index_select(1, places).to(self._thresholds.dtype)
        average = torch.where(self._thresholds.isinf(), batch, torch.lerp(self._thresholds, batch, MOMENTUM))
        self._thresholds = torch.where(count > 0, average, self._thresholds)

    def _mismatch(self, cosines: Tensor, chosen: Tensor) -> Tensor:
        """Mean over the chosen pairs, bool [P], of the squared difference of ranks of cosines [2, P]; of none: 0."""
        ranks = torch.sigmoid((cosines[:, :, None] - self._thresholds[:, None, :]) / TEMPERATURE).sum(2)
        errors = (ranks[0] - ranks[1]).square()
        return (errors * chosen).sum() / chosen.sum().clamp_min(1)

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the thresholds, float32 [2, 6]: the student's, the teacher's; infinite before the first batch."""
        return {"thresholds": self._thresholds.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from thresholds that `state_dict` gave."""
        self._thresholds = state["thresholds"].to(self._thresholds, copy=True)
