"""A memory of the training's own samples: what each one's losses were of late."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch

from law_rl.batch import EPSILON, Batch

Quantity = Literal["loss", "confidence", "agreement"]
Norm = Literal["all", "class", "none"]
REMEMBERING: dict[str, tuple[Quantity, Norm]] = {
    "own_loss": ("loss", "all"),
    "own_loss_in_class": ("loss", "class"),
    "own_confidence": ("confidence", "all"),
    "own_confidence_in_class": ("confidence", "class"),
    "own_agreement": ("agreement", "none"),
}


def class_moments(values: torch.Tensor, targets: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation [classes] of values [N] within each class; 0 for a class with no sample."""
    counts = torch.bincount(targets, minlength=classes).clamp_min(1).to(values.dtype)
    zeros = values.new_zeros(classes)
    mean = zeros.index_add(0, targets, values) / counts
    spread = zeros.index_add(0, targets, (values - mean[targets]).square()) / counts
    return mean, spread.sqrt()


def _scale(std: torch.Tensor) -> torch.Tensor:
    """What differences are multiplied by: 1 / std, but 0 where there is no spread yet, as before the first samples."""
    return torch.where(std > EPSILON, 1.0 / (std + EPSILON), 0.0)


class SampleMemory:
    """An exponential moving average of one quantity of each training sample, standardised over all samples or its
    class.

    loss: the sample's own cross-entropy in nats. confidence: the probability of its label, exp(-loss). agreement: 1
    where the network's choice is the label, else 0. The average is `decay` old + (1 - decay) new at each visit, begun
    at what a network that knows nothing would give. Moments are taken anew every `REFRESH` batches; deviations are
    those of the population (our reading). "none" maps [0, 1] to [-1, 1].
    """

    REFRESH = 8

    def __init__(self, quantity: Quantity, norm: Norm, targets: torch.Tensor, *, classes: int, decay: float) -> None:
        self._quantity, self._norm, self._targets = quantity, norm, targets
        self._classes, self._decay, self._batches = classes, decay, 0
        begin = math.log(classes) if quantity == "loss" else 1.0 / classes
        self._values = torch.full(targets.shape, begin, device=targets.device)

    def update(self, batch: Batch, ids: torch.Tensor) -> None:
        """Takes in one batch."""
        if self._batches % self.REFRESH == 0:
            self._take_moments()
        self._batches += 1
        self._visited = torch.lerp(self._measure(batch), self._values.index_select(0, ids), self._decay)
        self._values.index_copy_(0, ids, self._visited)

    def _measure(self, batch: Batch) -> torch.Tensor:
        if self._quantity == "loss":
            return batch.losses
        if self._quantity == "confidence":
            return torch.exp(-batch.losses)
        logits, targets = (batch.given(entry, "own_agreement") for entry in ("logits", "targets"))
        return (logits.argmax(dim=1) == targets).float()

    def _take_moments(self) -> None:
        if self._norm == "class":
            mean, std = class_moments(self._values, self._targets, self._classes)
        elif self._norm == "all":
            std, mean = torch.std_mean(self._values, correction=0)
        else:
            return
        self._scale = _scale(std)
        self._offset = -mean * self._scale

    def feature(self, batch: Batch) -> torch.Tensor:
        """The feature [B] of the batch that `update` took in last."""
        if self._norm == "none":
            return 2.0 * self._visited - 1.0
        scale, offset = self._scale, self._offset
        if self._norm == "class":
            targets = batch.given("targets", "own_loss_in_class")
            scale, offset = scale.index_select(0, targets), offset.index_select(0, targets)
        return torch.addcmul(offset, self._visited, scale)

    def state_dict(self) -> dict[str, Any]:
        moments = {} if self._norm == "none" or not self._batches else {"offset": self._offset, "scale": self._scale}
        return {"values": self._values.clone(), "batches": self._batches, **{k: v.clone() for k, v in moments.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._values.copy_(state["values"])
        self._batches = int(state["batches"])
        if "scale" in state:
            device = self._values.device
            self._offset, self._scale = state["offset"].to(device), state["scale"].to(device)
