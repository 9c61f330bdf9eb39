"""Followers: a schedule at work inside somebody else's training loop."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from law_rl.features import Batch, Features
from law_rl.observation import StageView
from law_rl.weigher import Weigher
from law_rl.weighting import from_json, to_json

if TYPE_CHECKING:
    from law_rl.schedule import Schedule


class Follower:
    """Gives sample weights step by step, and sees the training it steers only through what it is told.

    Once a step, call `weights` and train on sum(w * losses) / sum(w).
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

    def weights(
        self,
        losses: torch.Tensor,
        *,
        logits: torch.Tensor,
        targets: torch.Tensor,
        lr: float,
        ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Sample weights [B] of this step's batch, in [0, 2], detached.

        losses: cross-entropies [B] in nats; logits [B, C]; targets: int64 [B]; lr: this step's learning rate; ids:
        int64 [B], the samples' places in the training set, wanted by features that remember single samples.
        """
        weigher = self._weigher or self._build(logits.shape[1])
        self._lr0 = max(self._lr0, lr)
        if self._step in self._boundaries:
            self._begin_stage(weigher, self._boundaries[self._step], lr)
        self._step += 1
        own = losses.detach().to(torch.float32, copy=True)  # a copy: the host may overwrite its losses and its weights
        weights = weigher.weights(Batch(losses=own, logits=logits.detach(), targets=targets, ids=ids))
        return torch.ones_like(own) if weights is None else weights.clone()

    def _build(self, classes: int) -> Weigher:
        schedule, self._classes = self._schedule, classes
        features = Features(
            schedule.action.features, classes=classes, targets=self._targets, memory_decay=schedule.memory_decay
        )
        self._weigher = Weigher(features)
        return self._weigher

    def _begin_stage(self, weigher: Weigher, stage: int, lr: float) -> None:
        weigher.statistics.flush()
        statistics = weigher.statistics
        view = StageView(
            stage=stage,
            stages=self._schedule.stages,
            lr=lr,
            lr0=self._lr0,
            ema_loss=statistics.ema_loss,
            ema_weight=statistics.ema_weight,
            loss_quantiles=statistics.quantiles,
        )
        weigher.set_rule(self._schedule.directive(view).weighting)

    def state_dict(self) -> dict[str, Any]:
        """Everything that following goes on from: tensors and plain values, for the host's own checkpoint."""
        state = {"step": self._step, "lr0": self._lr0, "classes": self._classes, "total": self._total}
        if self._weigher is None:
            return state
        return state | {"weigher": self._weigher.state_dict(), "rule": to_json(self._weigher.rule)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict`, bit for bit; ValueError if it belongs to a training of another length."""
        if state["total"] != self._total:
            raise ValueError(
                f"the state is of a training of {state['total']} steps, this one has {self._total}: give that number"
            )
        self._step, self._lr0, self._weigher = int(state["step"]), float(state["lr0"]), None
        if "weigher" in state:
            weigher = self._build(int(state["classes"]))
            weigher.load_state_dict(state["weigher"])
            weigher.set_rule(from_json(state["rule"]))
