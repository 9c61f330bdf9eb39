"""The distillation learner: a student that follows a teacher's route under a mixture of losses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal

import torch
from torch.nn import functional

from law_rl.batch import Batch
from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.staged_learner import Objective, copy_tree
from law_rl.data.training_data import TrainingData
from law_rl.distillation.congruence import Kernel, Reduction, correlation_congruence_loss
from law_rl.distillation.hint import Adapter, mimic_loss
from law_rl.distillation.kd import kd_loss
from law_rl.distillation.relations import rkd_angle_loss, rkd_distance_loss, similarity_preserving_loss
from law_rl.distillation.samplers import GroupUniformBatches
from law_rl.distillation.teacher_outputs import TeacherOutput, TeacherOutputs
from law_rl.features import AGAINST_TEACHER
from law_rl.learner import Directive, Snapshot

RKD_ANGLE = 2.0
"""RKD's weight of angles against distances (arXiv 1904.05068)."""


@dataclass(frozen=True, kw_only=True)
class LossTerms:
    """The weights of the loss terms, those of the twin: labels (ce), Hinton's KD (kd), mimicry of the embedding (hint),
    correlation congruence (cc), and as controls RKD's distances and angles (rkd) and similarity preservation (sp).

    With `ce` alpha, `kd` or `hint` 1 - alpha and `cc` beta this is equation (7) of arXiv 1904.01802.
    """

    ce: float = 0.1
    kd: float = 0.9
    hint: float = 0.0
    cc: float = 0.0
    rkd: float = 0.0
    sp: float = 0.0

    def __post_init__(self) -> None:
        Directive(losses=asdict(self))
        if not any(asdict(self).values()):
            raise ValueError("all loss weights are 0: weight at least one term, as ce 0.1 and kd 0.9")


TERMS = tuple(term.name for term in fields(LossTerms))


@dataclass(frozen=True, kw_only=True)
class CongruenceConfig:
    """The settings of the correlation-congruence loss; see `correlation_congruence_loss`."""

    kernel: Kernel = "rbf"
    gamma: float = 0.4
    order: int = 2
    normalize: bool = True
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        correlation_congruence_loss(torch.ones(2, 1), torch.ones(2, 1), **asdict(self))  # which checks them


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(ClassificationConfig):
    """How a student is trained: as a classifier, and what it takes from the teacher.

    `losses` are the twin's weights of the terms, `temperature` that of KD. `between` says what a position between two
    anchors means: the nearest, or a mixture of both. `sampler`: shuffled batches, or `per_group` samples of each of
    batch_size / per_group classes (CUR) or of as many of `superclasses` clusters of the converged teacher's features
    (SUR). Where teacher and student embed in different widths, an adapter stands between, which training throws away.
    """

    losses: LossTerms = field(default_factory=LossTerms)
    temperature: float = 4.0
    congruence: CongruenceConfig = field(default_factory=CongruenceConfig)
    between: Literal["nearest", "mixed"] = "nearest"
    sampler: Literal["shuffled", "class_uniform", "superclass_uniform"] = "shuffled"
    per_group: int = 4
    superclasses: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}: give a finite number above 0 (4 is usual)")
        if self.sampler not in ("shuffled", "class_uniform", "superclass_uniform"):
            raise ValueError(f"sampler is {self.sampler!r}: use shuffled, class_uniform or superclass_uniform")
        if self.between not in ("nearest", "mixed"):
            raise ValueError(f"between is {self.between!r}: use nearest or mixed")


@dataclass(frozen=True, kw_only=True, eq=False)
class Student:
    """What the student says of a batch: logits [B, K], and embeddings [B, D] in the teacher's width."""

    embedding: torch.Tensor
    logits: torch.Tensor


class DistillationLearner(ClassificationLearner):
    """Trains a student on labels and on a teacher; directives choose the anchor and mix the losses.

    Sample weights act on ce, kd and hint, which are losses of single samples; cc, rkd and sp relate the samples of a
    batch and are not weighted (our reading).
    """

    config: DistillationConfig

    def __init__(
        self,
        config: DistillationConfig,
        dataset: TrainingData,
        seed: int,
        teacher: TeacherOutputs,
        groups: torch.Tensor | None = None,
    ) -> None:
        """`groups` int64 [N], for samplers by group: the class or superclass of each training sample."""
        self.teacher, self._groups, self._weights = teacher, groups, asdict(config.losses)
        self.anchors, self._anchor = len(teacher.route), 1.0
        self._sampler: GroupUniformBatches | None = None
        if groups is not None:
            size, per_group = config.batch_size, config.per_group
            self._sampler = GroupUniformBatches(groups, batch_size=size, per_group=per_group, seed=seed)
        super().__init__(config, dataset, seed)
        self._adapter = self._add_adapter()

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """The terms of the loss with the twin's weights."""
        return asdict(self.config.losses)

    def _add_adapter(self) -> Adapter | None:
        """The adapter where widths differ, trained in a group of its own: stages of which no term uses it leave it
        without a momentum, and fused SGD fails on a group in which only some parameters have one.
        """
        width = self.network.width
        if width == self.teacher.width:
            return None
        adapter = Adapter(width, self.teacher.width, seed=self.seed).to(self.config.device)
        self._parameters.extend(adapter.parameters())
        self.optimiser.add_param_group({"params": list(adapter.parameters())})
        return adapter

    def _draw_batches(self, epoch: int) -> list[torch.Tensor]:
        if self._sampler is None:
            return super()._draw_batches(epoch)
        self._sampler.set_epoch(epoch)
        return self._sampler.batches(self.config.device)

    def _direct(self, directive: Directive) -> None:
        super()._direct(directive)
        self._anchor, self._weights = directive.anchor, {**self.loss_weights, **directive.losses}

    def _objective(self, inputs: torch.Tensor, targets: torch.Tensor, ids: torch.Tensor) -> Objective:
        embedding = self.network.embed(inputs)
        cross_entropy, logits = self._label_losses(embedding, targets)
        losses = self._weights["ce"] * cross_entropy
        batch = Batch(losses=cross_entropy.detach(), logits=logits.detach(), targets=targets, ids=ids)
        if not self._needs_teacher:
            return Objective(losses=losses, batch=batch)
        teacher = self.teacher.outputs(self._anchor, inputs, ids)
        student = Student(embedding=self._adapted(embedding), logits=logits)
        batch = replace(batch, teacher_logits=teacher.logits, teacher_cosine=self._teacher_cosine(student, teacher))
        losses, whole = self._distill(losses, student, teacher, targets)
        return Objective(losses=losses, batch=batch, whole=whole)

    def _adapted(self, embedding: torch.Tensor) -> torch.Tensor:
        """Embeddings in the teacher's width."""
        return self._adapter(embedding) if self._adapter else embedding

    @torch.no_grad()
    def _teacher_cosine(self, student: Student, teacher: TeacherOutput) -> torch.Tensor | None:
        if "teacher_cosine" not in self.feature_names:
            return None
        return functional.cosine_similarity(student.embedding.float(), teacher.embedding)

    @property
    def _needs_teacher(self) -> bool:
        compared = any(name in AGAINST_TEACHER for name in self.feature_names)
        return compared or any(weight for term, weight in self._weights.items() if term != "ce")

    def _distill(
        self, losses: torch.Tensor, student: Student, teacher: TeacherOutput, targets: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """The losses [B] with the teacher's terms added, and the losses [] of relations."""
        weights, embedding = self._weights, student.embedding
        if weights["kd"]:
            kd = kd_loss(student.logits, teacher.logits, self.config.temperature, reduction="none")
            losses = losses + weights["kd"] * kd
        if weights["hint"]:
            losses = losses + weights["hint"] * mimic_loss(embedding, teacher.embedding, reduction="none")
        relations = ((term, weights[term]) for term in ("cc", "rkd", "sp") if weights[term])
        return losses, tuple(weight * self._relation(term, embedding, teacher.embedding) for term, weight in relations)

    def _relation(self, term: str, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        match term:
            case "cc":
                return correlation_congruence_loss(student, teacher, **asdict(self.config.congruence))
            case "rkd":
                return rkd_distance_loss(student, teacher) + RKD_ANGLE * rkd_angle_loss(student, teacher)
            case _:
                return similarity_preserving_loss(student, teacher)

    def snapshot(self) -> Snapshot:
        """As a classifier's, with the adapter."""
        adapter = {"adapter": copy_tree(self._adapter.state_dict())} if self._adapter else {}
        return {**super().snapshot(), **adapter}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data, teacher and seed, bit for bit."""
        super().restore(snapshot)
        if self._adapter:
            self._adapter.load_state_dict(snapshot["adapter"])

    def fork(self) -> "DistillationLearner":
        """A second learner in the same state, sharing data and teacher."""
        twin = DistillationLearner(self.config, self.dataset, self.seed, self.teacher, self._groups)
        twin.restore(self.snapshot())
        return twin
