"""The contract of an inner loop: a learner trains stage by stage under directives, and can be snapshotted and
forked.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

import torch

from law_rl.observation import StageView
from law_rl.stage_weights import WeightSummary
from law_rl.weighting import Uniform, Weighting, from_json, to_json

SplitName = Literal["train", "validation", "test"]
Snapshot = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Directive:
    """What is fixed during one stage: how samples are weighted, which teacher supervises, how losses are mixed.

    `anchor` is the position on the teacher's route, from 0, its first anchor, to 1, the converged teacher. `losses` are
    weights of terms of the loss; a term not named keeps the learner's own weight. Learners without a teacher or terms
    take only the weighting.
    """

    weighting: Weighting = field(default_factory=Uniform)
    anchor: float = 1.0
    losses: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.anchor <= 1.0:
            raise ValueError(f"anchor is {self.anchor}: give a position from 0, the first anchor, to 1, the last")
        wrong = {term: weight for term, weight in self.losses.items() if not 0.0 <= weight < math.inf}
        if wrong:
            raise ValueError(f"losses weights {', '.join(f'{k} {v}' for k, v in wrong.items())}: give 0 or more each")

    def to_json(self) -> dict[str, Any]:
        return {"weighting": to_json(self.weighting), "anchor": self.anchor, "losses": dict(self.losses)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Directive":
        return Directive(
            weighting=from_json(value["weighting"]), anchor=float(value["anchor"]), losses=dict(value["losses"])
        )


BASELINE = Directive()
"""The twin's directive: uniform weights, the converged teacher where there is one, the learner's own loss weights."""


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """What one stage of training did.

    `view` is what a follower could know at its end. `failure` says why training cannot go on (empty: it can).
    """

    view: StageView
    epoch: float
    epochs: int
    iterations: int
    failure: str = ""
    weights: WeightSummary = field(default_factory=WeightSummary)


class Learner(Protocol):
    """One network in training. All of its randomness comes from counters of (seed, purpose, stage, iteration)."""

    @property
    def stages(self) -> int:
        """Stages of the whole training."""
        ...

    @property
    def stage(self) -> int:
        """Stages done so far."""
        ...

    @property
    def metric(self) -> str:
        """The entry of `evaluate`'s answer that measures success, in points (0 to 100, more is better)."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Per-sample features that a `linear_tanh` rule may use."""
        ...

    @property
    def anchors(self) -> int:
        """Anchors on the teacher's route; 0 without a teacher."""
        ...

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """The terms of the loss that a directive may weight, with the learner's own weights."""
        ...

    @property
    def mislabelled(self) -> torch.Tensor | None:
        """Which training labels are known to be wrong, bool [N]; None where that is not known."""
        ...

    def train_stage(self, directive: Directive) -> StageReport: ...

    def view(self) -> StageView:
        """What a follower could know now."""
        ...

    def evaluate(self, split: SplitName) -> dict[str, float]: ...

    def snapshot(self) -> Snapshot:
        """A copy of everything that training goes on from; later training does not change it."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot, bit for bit; one that was in a file (`law_rl.files`) has lists for tuples, strings
        for the numbers that name things, and all tensors contiguous on the CPU.
        """
        ...

    def fork(self) -> Self:
        """A second learner in the same state, sharing the data."""
        ...


class Task(Protocol):
    """What is trained: makes the learner of a seed. A seed draws initialisation, batches and noise; the split is
    fixed.
    """

    @property
    def stages(self) -> int: ...

    @property
    def device(self) -> str:
        """Where its learners train: "cpu", "cuda", ..."""
        ...

    @property
    def memory_decay(self) -> float:
        """The decay of the features' memory of single samples."""
        ...

    @property
    def metric(self) -> str:
        """The learners' metric."""
        ...

    def prepare(self, observer: Callable[[int, int], None]) -> None:
        """Makes here what all trainings need and is made once, such as a teacher; `observer(done, total)` as it goes.

        Where it was not called, the first learner of a process makes it.
        """
        ...

    def learner(self, seed: int) -> Learner: ...

    def describe(self) -> dict[str, Any]:
        """Plain values for provenance: a name, the data's content hash and the configuration, no path."""
        ...
