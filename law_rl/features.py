"""What is known of a sample: features of the forward pass that training does anyway, and a memory of its own losses.

All are detached, float32, shape [B]. `ids` index the training set; only the features that remember need them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch after its forward pass: cross-entropies [B] in nats, logits [B, C], targets [B], and where the host has
    them ids [B], the teacher's logits [B, C], the cosine of the student's embedding and the teacher's [B], and how
    crowded each face's neighbourhood is [B].
    """

    losses: torch.Tensor
    logits: torch.Tensor
    targets: torch.Tensor
    ids: torch.Tensor | None = None
    teacher_logits: torch.Tensor | None = None
    teacher_cosine: torch.Tensor | None = None
    crowding: torch.Tensor | None = None


def _standardise(values: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit spread over the batch. Population std: our reading; LAW's code very likely has n - 1."""
    std, mean = torch.std_mean(values, correction=0)
    return (values - mean) / (std + EPSILON)


def _loss(batch: Batch) -> torch.Tensor:
    return _standardise(batch.losses)


def _entropies(batch: Batch) -> torch.Tensor:
    log_probabilities = torch.log_softmax(batch.logits.float(), dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


def _entropy(batch: Batch) -> torch.Tensor:
    entropies = _entropies(batch)
    return (entropies - entropies.mean()) / (batch.losses.std(correction=0) + EPSILON)


def _entropy_own_std(batch: Batch) -> torch.Tensor:
    return _standardise(_entropies(batch))


def _loss_rank(batch: Batch) -> torch.Tensor:
    ranks = batch.losses.argsort().argsort().float()
    return 2.0 * ranks / max(len(ranks) - 1, 1) - 1.0


def _margin(batch: Batch) -> torch.Tensor:
    column = batch.targets.unsqueeze(1)
    own = batch.logits.gather(1, column).squeeze(1)
    others = batch.logits.scatter(1, column, -torch.inf).amax(dim=1)
    return _standardise((own - others).float())


def _centre_cosine(batch: Batch) -> torch.Tensor:
    """Of a cosine classifier the logit of the label is its scale times the cosine to the label's centre."""
    return _standardise(batch.logits.gather(1, batch.targets.unsqueeze(1)).squeeze(1).float())


def _loss_in_class(batch: Batch) -> torch.Tensor:
    mean, std = class_moments(batch.losses, batch.targets, batch.logits.shape[1])
    return (batch.losses - mean[batch.targets]) / (std[batch.targets] + EPSILON)


def _log_teacher(batch: Batch, name: str) -> torch.Tensor:
    if batch.teacher_logits is None:
        raise ValueError(
            f"{name} compares with a teacher: give teacher_logits, or leave it out of the features where there is none"
        )
    return torch.log_softmax(batch.teacher_logits.float(), dim=1)


def _teacher_divergence(batch: Batch) -> torch.Tensor:
    teacher = _log_teacher(batch, "teacher_divergence")
    student = torch.log_softmax(batch.logits.float(), dim=1)
    return _standardise((teacher.exp() * (teacher - student)).sum(dim=1))


def _teacher_confidence(batch: Batch) -> torch.Tensor:
    own = _log_teacher(batch, "teacher_confidence").gather(1, batch.targets.unsqueeze(1)).squeeze(1)
    return 2.0 * own.exp() - 1.0


def _teacher_cosine(batch: Batch) -> torch.Tensor:
    if batch.teacher_cosine is None:
        raise ValueError(
            "teacher_cosine compares embeddings with a teacher's: give teacher_cosine, or leave it out of the features "
            "where there is none"
        )
    return _standardise(batch.teacher_cosine.float())


def _crowding(batch: Batch) -> torch.Tensor:
    if batch.crowding is None:
        raise ValueError(
            "crowding says how alike a teacher finds a face and others' faces: give crowding, or leave it out of the "
            "features where it is not known"
        )
    return _standardise(batch.crowding.float())


STATELESS: dict[str, Callable[[Batch], torch.Tensor]] = {
    "loss": _loss,
    "entropy": _entropy,
    "entropy_own_std": _entropy_own_std,
    "loss_rank": _loss_rank,
    "loss_in_class": _loss_in_class,
    "margin": _margin,
    "centre_cosine": _centre_cosine,
}
AGAINST_TEACHER: dict[str, Callable[[Batch], torch.Tensor]] = {
    "teacher_divergence": _teacher_divergence,
    "teacher_confidence": _teacher_confidence,
    "teacher_cosine": _teacher_cosine,
}
WITH_TEACHER: dict[str, Callable[[Batch], torch.Tensor]] = {**AGAINST_TEACHER, "crowding": _crowding}
"""What only a training with a teacher knows; those of AGAINST_TEACHER want its answer on every batch."""
_IN_BATCH = STATELESS | WITH_TEACHER
Quantity = Literal["loss", "confidence", "agreement"]
Norm = Literal["all", "class", "none"]
REMEMBERING: dict[str, tuple[Quantity, Norm]] = {
    "own_loss": ("loss", "all"),
    "own_loss_in_class": ("loss", "class"),
    "own_confidence": ("confidence", "all"),
    "own_confidence_in_class": ("confidence", "class"),
    "own_agreement": ("agreement", "none"),
}
LABEL_PRIOR = "label_prior"
FEATURE_NAMES = (*_IN_BATCH, *REMEMBERING, LABEL_PRIOR)


def check_feature_names(names: Sequence[str]) -> None:
    """ValueError naming the first feature that does not exist, or saying that one stands twice."""
    unknown = [name for name in names if name not in FEATURE_NAMES]
    if unknown or not names:
        wrong = repr(unknown[0]) if unknown else "nothing"
        raise ValueError(f"features names {wrong}: choose one or more of {', '.join(FEATURE_NAMES)}")
    if len(set(names)) < len(names):
        raise ValueError(f"features are {', '.join(names)}: name each feature once")


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
        return (batch.logits.argmax(dim=1) == batch.targets).float()

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
            scale, offset = scale.index_select(0, batch.targets), offset.index_select(0, batch.targets)
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


class Features:
    """The named features of batches; with `targets`, the training set's labels [N], also those that remember
    samples.
    """

    def __init__(
        self, names: Sequence[str], *, classes: int, targets: torch.Tensor | None, memory_decay: float
    ) -> None:
        if names:
            check_feature_names(names)
        if not 0 <= memory_decay < 1:
            raise ValueError(f"memory_decay is {memory_decay}: give a number from 0 (only the last visit) to below 1")
        wanting = [name for name in names if name not in _IN_BATCH]
        if wanting and targets is None:
            raise ValueError(f"{', '.join(wanting)} look at the whole training set: give targets, its labels")
        self._memories: dict[str, SampleMemory] = {}
        if targets is not None:
            for name in (name for name in names if name in REMEMBERING):
                quantity, norm = REMEMBERING[name]
                self._memories[name] = SampleMemory(quantity, norm, targets, classes=classes, decay=memory_decay)
            self._prior = _log_prior(targets, classes)

    def remember(self, batch: Batch) -> None:
        """Takes a batch into the memories, where there are any; once a batch, whether it is weighted or not."""
        if self._memories and batch.ids is None:
            raise ValueError(
                f"{', '.join(self._memories)} remember single samples: give ids, their places in the training set"
            )
        for memory in self._memories.values():
            assert batch.ids is not None
            memory.update(batch, batch.ids)

    def compute(self, names: Sequence[str], batch: Batch) -> list[torch.Tensor]:
        """The features [B] of the batch taken in last, in the order of `names`."""
        return [self._feature(name, batch) for name in names]

    def _feature(self, name: str, batch: Batch) -> torch.Tensor:
        if name in _IN_BATCH:
            return _IN_BATCH[name](batch)
        if name == LABEL_PRIOR:
            return self._prior[batch.targets]
        if name not in self._memories:
            raise ValueError(
                f"{name} remembers single samples, but this training keeps no memory: name it among its features"
            )
        return self._memories[name].feature(batch)

    def state_dict(self) -> dict[str, Any]:
        return {name: memory.state_dict() for name, memory in self._memories.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, memory in self._memories.items():
            memory.load_state_dict(state[name])


def _log_prior(targets: torch.Tensor, classes: int) -> torch.Tensor:
    """The log of each label's frequency relative to a uniform one, [classes]; a label never seen counts as seen
    once.
    """
    return (torch.bincount(targets, minlength=classes).clamp_min(1) * (classes / len(targets))).log().float()
