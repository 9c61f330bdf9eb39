"""Who got how much weight in a stage: clean and mislabelled samples, and samples by their loss."""

import math
from dataclasses import dataclass

import torch

LOSS_EDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Where the bins of `by_loss` meet, in nats: the first holds all losses up to 0.03, the last all above 10."""

BINS = (*(f"weight_to_loss_{edge:g}" for edge in LOSS_EDGES), f"weight_over_loss_{LOSS_EDGES[-1]:g}")
"""Names of the bins, as columns of stages.csv."""


@dataclass(frozen=True, kw_only=True)
class WeightSummary:
    """Mean sample weights of a stage, NaN where unknown or where no sample was; `by_loss` has one entry a bin."""

    clean: float = math.nan
    mislabelled: float = math.nan
    by_loss: tuple[float, ...] = (math.nan,) * len(BINS)


class StageWeights:
    """Collects a stage's weights on their device; batches of uniform weights do not count."""

    def __init__(self, mislabelled: torch.Tensor | None) -> None:
        self._mislabelled = mislabelled
        self._ids: list[torch.Tensor] = []
        self._losses: list[torch.Tensor] = []
        self._weights: list[torch.Tensor] = []

    def add(self, ids: torch.Tensor, losses: torch.Tensor, weights: torch.Tensor | None) -> None:
        """Notes one batch: places in the training set [B], losses [B] in nats and weights [B]."""
        if weights is not None:
            self._ids.append(ids)
            self._losses.append(losses)
            self._weights.append(weights)

    def summary(self) -> WeightSummary:
        """The means so far."""
        if not self._weights:
            return WeightSummary()
        weights, losses = torch.cat(self._weights), torch.cat(self._losses)
        bins = torch.bucketize(losses, losses.new_tensor(LOSS_EDGES))
        sums = weights.new_zeros(len(BINS)).index_add(0, bins, weights)
        by_loss = tuple((sums / torch.bincount(bins, minlength=len(BINS))).tolist())
        if self._mislabelled is None:
            return WeightSummary(by_loss=by_loss)
        wrong = self._mislabelled[torch.cat(self._ids)]
        return WeightSummary(clean=_mean(weights[~wrong]), mislabelled=_mean(weights[wrong]), by_loss=by_loss)


def _mean(weights: torch.Tensor) -> float:
    return weights.mean().item() if len(weights) else math.nan
