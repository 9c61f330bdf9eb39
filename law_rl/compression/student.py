"""The codec student: learns from photographs, and from the pictures and latents of a heavier codec."""

from dataclasses import dataclass, field

import torch

from law_rl.classification.staged_learner import copy_tree
from law_rl.compression.learner import CodecLearner, CodecLearnerConfig
from law_rl.compression.network.codec_network import CodecOutput
from law_rl.compression.patches import PatchDataset
from law_rl.compression.rd_cost import RDCost
from law_rl.compression.rd_learner import RateDistortion
from law_rl.compression.teacher import CodecTeacher
from law_rl.distillation.hint import Adapter, mimic_loss
from law_rl.learner import Directive, Snapshot


@dataclass(frozen=True, kw_only=True)
class CodecLossTerms(RateDistortion):
    """The weights of the loss terms besides the bits per pixel, those of the twin.

    `distortion` and `teacher_output` multiply lambda and the mean squared error to the photograph and to the teacher's
    picture; `teacher_features` multiplies the squared error of the latents, through a 1x1 regressor, to the teacher's
    (hint learning, arXiv 1412.6550, on latents: our reading), a position's mean over the teacher's channels.
    """

    teacher_output: float = 0.0
    teacher_features: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CodecStudentConfig(CodecLearnerConfig):
    """How a codec with a teacher is trained; its loss may weigh what the teacher gives."""

    losses: CodecLossTerms = field(default_factory=CodecLossTerms)


class CodecStudent(CodecLearner):
    """A codec learner with a teacher; directives choose the anchor and mix the losses.

    Sample weights act on all terms. A teacher that weighs nothing in a stage is not asked.
    """

    config: CodecStudentConfig

    def __init__(self, config: CodecStudentConfig, dataset: PatchDataset, seed: int, teacher: CodecTeacher) -> None:
        self.teacher, self.anchors, self._anchor = teacher, len(teacher.route), 1.0
        super().__init__(config, dataset, seed)
        self._adapter = Adapter(config.network.latents, teacher.latents, seed=seed).to(config.device)
        self._parameters.extend(self._adapter.parameters())
        self.optimiser.add_param_group({"params": list(self._adapter.parameters())})

    def _direct(self, directive: Directive) -> None:
        super()._direct(directive)
        self._anchor = directive.anchor

    def _losses(self, images: torch.Tensor, ids: torch.Tensor, output: CodecOutput, cost: RDCost) -> torch.Tensor:
        losses, weights = super()._losses(images, ids, output, cost), self._weights
        if not weights["teacher_output"] and not weights["teacher_features"]:
            return losses
        teacher = self.teacher.outputs(self._anchor, ids)
        if weights["teacher_output"]:
            errors = (output.reconstruction - teacher.reconstruction).square().mean(dim=(1, 2, 3))
            losses = losses + weights["teacher_output"] * self.config.lambda_ * errors
        if weights["teacher_features"]:
            mimicry = mimic_loss(self._adapter(output.y), teacher.latents, reduction="none")
            losses = losses + weights["teacher_features"] / self.teacher.latents * mimicry
        return losses

    def snapshot(self) -> Snapshot:
        """As a codec learner's, with the regressor."""
        return {**super().snapshot(), "adapter": copy_tree(self._adapter.state_dict())}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data, teacher and seed, bit for bit."""
        super().restore(snapshot)
        self._adapter.load_state_dict(snapshot["adapter"])

    def fork(self) -> "CodecStudent":
        """A second learner in the same state, sharing data and teacher."""
        twin = CodecStudent(self.config, self.dataset, self.seed, self.teacher)
        twin.restore(self.snapshot())
        return twin
