"""What is known of a sample: features of the forward pass that training does anyway, and a memory of its own losses.

All are detached, float32, shape [B]. `ids` index the training set; only the features that remember need them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from law_rl.batch import EPSILON, Batch, standardise
from law_rl.sample_memory import REMEMBERING, SampleMemory, class_moments

SMALLEST_ERROR = 1e-8
"""Mean squared errors of less count as this much: 80 dB."""


def _loss(batch: Batch) -> torch.Tensor:
    return standardise(batch.losses)


def _entropies(batch: Batch) -> torch.Tensor:
    log_probabilities = torch.log_softmax(batch.given("logits", "entropy").float(), dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


def _entropy(batch: Batch) -> torch.Tensor:
    entropies = _entropies(batch)
    return (entropies - entropies.mean()) / (batch.losses.std(correction=0) + EPSILON)


def _entropy_own_std(batch: Batch) -> torch.Tensor:
    return standardise(_entropies(batch))


def _loss_rank(batch: Batch) -> torch.Tensor:
    ranks = batch.losses.argsort().argsort().float()
    return 2.0 * ranks / max(len(ranks) - 1, 1) - 1.0


def _margin(batch: Batch) -> torch.Tensor:
    logits = batch.given("logits", "margin")
    column = batch.given("targets", "margin").unsqueeze(1)
    own = logits.gather(1, column).squeeze(1)
    others = logits.scatter(1, column, -torch.inf).amax(dim=1)
    return standardise((own - others).float())


def _centre_cosine(batch: Batch) -> torch.Tensor:
    """Of a cosine classifier the logit of the label is its scale times the cosine to the label's centre."""
    logits, targets = (batch.given(entry, "centre_cosine") for entry in ("logits", "targets"))
    return standardise(logits.gather(1, targets.unsqueeze(1)).squeeze(1).float())


def _loss_in_class(batch: Batch) -> torch.Tensor:
    logits, targets = (batch.given(entry, "loss_in_class") for entry in ("logits", "targets"))
    mean, std = class_moments(batch.losses, targets, logits.shape[1])
    return (batch.losses - mean[targets]) / (std[targets] + EPSILON)


def _log_teacher(batch: Batch, name: str) -> torch.Tensor:
    return torch.log_softmax(batch.given("teacher_logits", name).float(), dim=1)


def _teacher_divergence(batch: Batch) -> torch.Tensor:
    teacher = _log_teacher(batch, "teacher_divergence")
    student = torch.log_softmax(batch.given("logits", "teacher_divergence").float(), dim=1)
    return standardise((teacher.exp() * (teacher - student)).sum(dim=1))


def _teacher_confidence(batch: Batch) -> torch.Tensor:
    targets = batch.given("targets", "teacher_confidence")
    own = _log_teacher(batch, "teacher_confidence").gather(1, targets.unsqueeze(1)).squeeze(1)
    return 2.0 * own.exp() - 1.0


def _teacher_cosine(batch: Batch) -> torch.Tensor:
    return standardise(batch.given("teacher_cosine", "teacher_cosine").float())


def _crowding(batch: Batch) -> torch.Tensor:
    return standardise(batch.given("crowding", "crowding").float())


def _bits(batch: Batch) -> torch.Tensor:
    return standardise(batch.given("bits", "bits").float())


def _distortion(batch: Batch) -> torch.Tensor:
    return standardise(batch.given("distortion", "distortion").float().clamp_min(SMALLEST_ERROR).log())


def _gradient_energy(batch: Batch) -> torch.Tensor:
    return standardise(batch.given("gradient_energy", "gradient_energy").float())


def _motion(batch: Batch) -> torch.Tensor:
    return standardise(batch.given("motion", "motion").float())


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
OF_IMAGES: dict[str, Callable[[Batch], torch.Tensor]] = {
    "bits": _bits,
    "distortion": _distortion,
    "gradient_energy": _gradient_energy,
}
OF_CODECS: dict[str, Callable[[Batch], torch.Tensor]] = {**OF_IMAGES, "motion": _motion}
"""What only the training of a codec knows of an image, and what one of video knows of a frame."""
_IN_BATCH = STATELESS | WITH_TEACHER | OF_CODECS
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
            return self._prior[batch.given("targets", name)]
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
