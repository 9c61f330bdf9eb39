"""What a policy sees: numbers about a training that anybody can compute while following a schedule.

The same code serves the learner inside the environment and the follower inside other people's loops, so both see the
same bits. Recording an iteration costs no tensor operation; the sums are done once a stage.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

EMA_DECAY = 0.8
INITIAL_LOSS = 2.3
_KEPT = 128  # 0.8 ** 128 is below float32's resolution: older iterations cannot be seen in an average


@dataclass(frozen=True, kw_only=True)
class StageView:
    """A training seen from the start of stage `stage` (0-based, warm-up included) out of `stages`.

    Losses in nats. `validation` and `advantage` (over the twin) are in points and NaN where the host has neither.
    """

    stage: int
    stages: int
    lr: float
    lr0: float
    ema_loss: float
    ema_weight: float
    loss_quantiles: tuple[float, float, float]  # 10 %, 50 %, 90 % of the last iterations' losses
    validation: float = float("nan")
    advantage: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the observation: finite bounds, the value, and whether it needs validation data or a twin."""

    low: float
    high: float
    value: Callable[[StageView], float]
    needs_validation: bool = False


ENTRIES: dict[str, Entry] = {
    "progress": Entry(low=0.0, high=1.0, value=lambda view: view.stage / view.stages),
    "stage": Entry(low=0.0, high=1000.0, value=lambda view: float(view.stage)),
    "lr": Entry(low=0.0, high=10.0, value=lambda view: view.lr),
    "lr_ratio": Entry(low=0.0, high=2.0, value=lambda view: view.lr / view.lr0 if view.lr0 > 0 else 1.0),
    "ema_loss": Entry(low=0.0, high=20.0, value=lambda view: view.ema_loss),
    "ema_weight": Entry(low=0.0, high=2.0, value=lambda view: view.ema_weight),
    "loss_q10": Entry(low=0.0, high=20.0, value=lambda view: view.loss_quantiles[0]),
    "loss_q50": Entry(low=0.0, high=20.0, value=lambda view: view.loss_quantiles[1]),
    "loss_q90": Entry(low=0.0, high=20.0, value=lambda view: view.loss_quantiles[2]),
    "validation": Entry(low=0.0, high=1.0, value=lambda view: view.validation / 100, needs_validation=True),
    "advantage": Entry(low=-1.0, high=1.0, value=lambda view: view.advantage / 100, needs_validation=True),
}

FOLLOWER = ("progress", "lr_ratio", "ema_loss", "ema_weight", "loss_q10", "loss_q50", "loss_q90")
LAW_STATE = ("stage", "ema_loss", "ema_weight", "lr")


def check_observation_names(names: Sequence[str]) -> None:
    """ValueError naming the first entry that does not exist."""
    unknown = [name for name in names if name not in ENTRIES]
    if unknown or not names:
        wrong = repr(unknown[0]) if unknown else "nothing"
        raise ValueError(f"observation names {wrong}: choose one or more of {', '.join(ENTRIES)}")


def observe(names: Sequence[str], view: StageView) -> npt.NDArray[np.float32]:
    """The observation [len(names)] of a view, clipped to each entry's bounds; a non-finite value becomes the upper
    bound.
    """
    values = np.empty(len(names), dtype=np.float32)
    for j, name in enumerate(names):
        entry = ENTRIES[name]
        value = entry.value(view)
        values[j] = min(max(value, entry.low), entry.high) if np.isfinite(value) else entry.high
    return values


@dataclass
class TrainingStatistics:
    """Moving averages and quantiles of a training's losses and weights.

    EMAs are x <- 0.8 x + 0.2 new an iteration (LAW's released code): `new` is the batch's mean loss, weighted where the
    batch was, and its mean weight; iterations without weights leave the weight's average alone.
    """

    ema_loss: float = INITIAL_LOSS
    ema_weight: float = 0.0
    quantiles: tuple[float, float, float] = (INITIAL_LOSS, INITIAL_LOSS, INITIAL_LOSS)
    _pending: deque[tuple[torch.Tensor, torch.Tensor | None]] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def record(self, losses: torch.Tensor, weights: torch.Tensor | None) -> None:
        """Notes one iteration: per-sample losses [B] and weights [B] (None: uniform); keeps references, copies
        nothing.
        """
        self._pending.append((losses, weights))

    def flush(self) -> None:
        """Folds the noted iterations into the averages; the only device-to-host copies of a stage."""
        if not self._pending:
            return
        batches = list(self._pending)
        self._pending.clear()
        lengths = torch.tensor([len(losses) for losses, _ in batches])
        device = batches[-1][0].device  # those of a restored state may lie elsewhere
        losses = torch.cat([losses.to(device) for losses, _ in batches]).double().cpu()
        ones = torch.ones(int(lengths.max()), device=device)
        weights = torch.cat([w.to(device) if w is not None else ones[: len(own)] for own, w in batches]).double().cpu()
        weight_sums = _segment_sums(weights, lengths)
        mean_losses = _segment_sums(weights * losses, lengths) / weight_sums.clamp_min(1e-12)
        self.ema_loss = _fold(self.ema_loss, mean_losses)
        weighted = torch.tensor([w is not None for _, w in batches])
        if weighted.any():
            self.ema_weight = _fold(self.ema_weight, (weight_sums / lengths)[weighted])
        q10, q50, q90 = np.quantile(losses.numpy(), (0.1, 0.5, 0.9))
        self.quantiles = (float(q10), float(q50), float(q90))

    def state_dict(self) -> dict[str, Any]:
        """Averages as plain numbers and the iterations not yet folded in as tensors."""
        pending = [
            {"losses": losses.clone(), "weights": None if w is None else w.clone()} for losses, w in self._pending
        ]
        averages = {"ema_loss": self.ema_loss, "ema_weight": self.ema_weight, "quantiles": list(self.quantiles)}
        return averages | {"pending": pending}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._pending.clear()
        self._pending.extend((entry["losses"], entry["weights"]) for entry in state["pending"])
        self.ema_loss, self.ema_weight = float(state["ema_loss"]), float(state["ema_weight"])
        q10, q50, q90 = state["quantiles"]
        self.quantiles = (float(q10), float(q50), float(q90))


def _segment_sums(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    return torch.zeros(len(lengths), dtype=values.dtype).index_add(0, owner, values)


def _fold(average: float, news: torch.Tensor) -> float:
    ages = torch.arange(len(news) - 1, -1, -1, dtype=torch.float64)
    total = float(EMA_DECAY ** len(news) * average + (1 - EMA_DECAY) * (news * EMA_DECAY**ages).sum())
    return total
