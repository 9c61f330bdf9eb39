"""Followers: a schedule at work inside somebody else's training loop."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from law_rl.batch import Batch
from law_rl.features import Features
from law_rl.learner import Directive
from law_rl.observation import StageView, TrainingStatistics
from law_rl.weigher import Weigher

if TYPE_CHECKING:
    from law_rl.schedule import Schedule


class Follower:
    """Gives directives and sample weights step by step, and sees the training it steers only through what it is told.

    Once a step, call `weights` and train on sum(w * losses) / sum(w). Where the schedule chooses a teacher or mixes
    losses, first call `directive`, which also says these.
    """

    def __init__(self, schedule: "Schedule", total_steps: int, *, targets: torch.Tensor | None = None) -> None:
        if total_steps < schedule.stages:
            raise ValueError(f"total_steps is {total_steps}: give at least the schedule's {schedule.stages} stages")
        if schedule.needs_validation:
            raise ValueError(
                "this schedule looks at validation data, which a training loop does not give: learn one without"
            )
        self._schedule, self._total, self._targets = schedule, total_steps, targets
        self._step, self._lr0, self._classes = 0, 0.0, 0
        self._boundaries = {round(k * total_steps / schedule.stages): k for k in range(schedule.stages)}
        self._weigher: Weigher | None = None
        self._directive = Directive()

    def directive(self, *, lr: float) -> Directive:
        """What is fixed during this step's stage: the teacher's `anchor` and the weights of the `losses` among it.

        `lr` is this step's learning rate. Called before `weights`, once or more a step.
        """
        self._lr0 = max(self._lr0, lr)
        if self._step in self._boundaries:
            self._directive = self._schedule.directive(self._view(self._boundaries[self._step], lr))
        return self._directive

    def weights(
        self,
        losses: torch.Tensor,
        *,
        lr: float,
        logits: torch.Tensor | None = None,
        targets: torch.Tensor | None = None,
        ids: torch.Tensor | None = None,
        teacher_logits: torch.Tensor | None = None,
        teacher_cosine: torch.Tensor | None = None,
        crowding: torch.Tensor | None = None,
        bits: torch.Tensor | None = None,
        distortion: torch.Tensor | None = None,
        gradient_energy: torch.Tensor | None = None,
        motion: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Sample weights [B] of this step's batch, in [0, 2], detached.

        losses: cross-entropies [B] in nats, of codecs rate-distortion costs [B] in bits per pixel; lr: this step's
        learning rate; ids: int64 [B], the samples' places in the training set, wanted by features that remember single
        samples. Of classifiers logits [B, C] and targets int64 [B]; teacher_logits [B, C] and teacher_cosine [B], the
        cosine of the student's embedding and the teacher's, wanted by features that compare with a teacher; crowding
        [B], `law_rl.face.ida.crowding` of the samples, wanted by the feature of this name. Of codecs bits [B], bits per
        pixel; distortion [B], mean squared errors of RGB in 0..1; gradient_energy [B],
        `law_rl.compression.patches.gradient_energy` of the images; of video also motion [B],
        `law_rl.compression.video.learner.log_motion` of the decoded flows.
        """
        weigher = self._weigher or self._build(0 if logits is None else logits.shape[1])
        weigher.set_rule(self.directive(lr=lr).weighting)
        self._step += 1
        own = losses.detach().to(torch.float32, copy=True)  # a copy: the host may overwrite its losses and its weights
        batch = Batch(
            losses=own,
            logits=None if logits is None else logits.detach(),
            targets=targets,
            ids=ids,
            teacher_logits=teacher_logits,
            teacher_cosine=teacher_cosine,
            crowding=crowding,
            bits=None if bits is None else bits.detach(),
            distortion=None if distortion is None else distortion.detach(),
            gradient_energy=gradient_energy,
            motion=motion,
        )
        weights = weigher.weights(batch)
        return torch.ones_like(own) if weights is None else weights.clone()

    def _build(self, classes: int) -> Weigher:
        schedule, self._classes = self._schedule, classes
        features = Features(
            schedule.action.features, classes=classes, targets=self._targets, memory_decay=schedule.memory_decay
        )
        self._weigher = Weigher(features)
        return self._weigher

    def _view(self, stage: int, lr: float) -> StageView:
        statistics = self._weigher.statistics if self._weigher else TrainingStatistics()
        statistics.flush()
        return StageView(
            stage=stage,
            stages=self._schedule.stages,
            lr=lr,
            lr0=self._lr0,
            ema_loss=statistics.ema_loss,
            ema_weight=statistics.ema_weight,
            loss_quantiles=statistics.quantiles,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that following goes on from: tensors and plain values, for the host's own checkpoint."""
        counts = {"step": self._step, "total": self._total, "classes": self._classes}
        state = {**counts, "lr0": self._lr0, "directive": self._directive.to_json()}
        return state if self._weigher is None else state | {"weigher": self._weigher.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict`, bit for bit; ValueError if it belongs to a training of another length."""
        if state["total"] != self._total:
            raise ValueError(
                f"the state is of a training of {state['total']} steps, this one has {self._total}: give that number"
            )
        self._step, self._lr0 = int(state["step"]), float(state["lr0"])
        self._directive, self._weigher = Directive.from_json(state["directive"]), None
        if "weigher" in state:
            self._build(int(state["classes"])).load_state_dict(state["weigher"])
