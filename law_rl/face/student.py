"""The face student: learns from labels by a margin softmax, and from a teacher by CoupleFace's terms and others."""

from dataclasses import dataclass, replace

import torch

from law_rl.classification.staged_learner import Objective, copy_tree
from law_rl.data.training_data import TrainingData
from law_rl.distillation.learner import DistillationLearner, Student
from law_rl.distillation.teacher_outputs import TeacherOutput, TeacherOutputs
from law_rl.face.evaluation_knowledge import EvaluationKnowledge
from law_rl.face.feature_consistency import feature_consistency_loss
from law_rl.face.identity_bank import IdentityBank
from law_rl.face.learner import FaceConfig, FaceLearner
from law_rl.face.relation_loss import relation_loss
from law_rl.learner import Snapshot


@dataclass(frozen=True, kw_only=True, eq=False)
class Relations:
    """What a teacher knows of the training identities: prototypes float32 [C, D] of unit length, and for each identity
    the partners int64 [C, K] that it is related with; None where partners come from the batch. `crowding` float32 [N]
    says how crowded each training image's neighbourhood is; None where no feature asks.
    """

    prototypes: torch.Tensor
    partners: torch.Tensor | None
    crowding: torch.Tensor | None = None


class FaceStudent(FaceLearner, DistillationLearner):
    """A face learner with a teacher; directives choose the anchor and mix the losses.

    Sample weights act on ce, kd, hint, fcd and rad, which are losses of single samples; ekd, cc, rkd and sp relate the
    samples of a batch and are not weighted (our reading). A stage in which RAD weighs nothing leaves its bank as it is.
    """

    config: FaceConfig

    def __init__(
        self,
        config: FaceConfig,
        dataset: TrainingData,
        seed: int,
        teacher: TeacherOutputs,
        groups: torch.Tensor | None,
        relations: Relations,
    ) -> None:
        super().__init__(config, dataset, seed, teacher, groups)
        self._relations = relations
        self._bank = IdentityBank(relations.prototypes, config.relation)
        self._ekd = EvaluationKnowledge(device=config.device)
        self._related: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None

    def _step(self, ids: torch.Tensor, iteration: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._related = None
        trained = super()._step(ids, iteration)
        if self._related is not None:
            self._bank.update(*self._related)  # only now: the backward pass reads the bank
        return trained

    def _objective(self, inputs: torch.Tensor, targets: torch.Tensor, ids: torch.Tensor) -> Objective:
        objective = super()._objective(inputs, targets, ids)
        if self._relations.crowding is None:
            return objective
        crowding = self._relations.crowding.index_select(0, ids)
        return replace(objective, batch=replace(objective.batch, crowding=crowding))

    def _distill(
        self, losses: torch.Tensor, student: Student, teacher: TeacherOutput, targets: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        losses, whole = super()._distill(losses, student, teacher, targets)
        weights, mine, other = self._weights, student.embedding, teacher.embedding
        if weights["fcd"]:
            losses = losses + weights["fcd"] * feature_consistency_loss(mine, other, reduction="none")
        if weights["rad"]:
            relation, partners = self.config.relation, self._relations.partners
            losses = losses + weights["rad"] * relation_loss(mine, other, targets, self._bank, partners, relation)
            self._related = mine.detach(), other, targets
        if weights["ekd"]:
            whole = (*whole, weights["ekd"] * self._ekd.loss(mine, other, targets))
        return losses, whole

    def snapshot(self) -> Snapshot:
        """As a face learner's and a distillation learner's, with the bank and the thresholds of EKD."""
        own = {"bank": self._bank.state_dict(), "ekd": self._ekd.state_dict()}
        return {**super().snapshot(), **copy_tree(own)}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data, teacher and seed, bit for bit."""
        super().restore(snapshot)
        self._bank.load_state_dict(snapshot["bank"])
        self._ekd.load_state_dict(snapshot["ekd"])

    def fork(self) -> "FaceStudent":
        """A second learner in the same state, sharing data, teacher and relations."""
        twin = FaceStudent(self.config, self.dataset, self.seed, self.teacher, self._groups, self._relations)
        twin.restore(self.snapshot())
        return twin
