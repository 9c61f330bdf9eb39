"""The contract of an inner loop: a learner trains stage by stage under directives, and can be snapshotted and
forked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

import torch

from law_rl.observation import StageView
from law_rl.stage_weights import WeightSummary
from law_rl.weighting import Uniform, Weighting

SplitName = Literal["train", "validation", "test"]
Snapshot = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Directive:
    """What is fixed during one stage: the rule that weights the samples."""

    weighting: Weighting = field(default_factory=Uniform)


BASELINE = Directive()
"""The twin's directive: uniform weights."""


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

    def restore(self, snapshot: Snapshot) -> None: ...

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

    def learner(self, seed: int) -> Learner: ...

    def describe(self) -> dict[str, Any]:
        """Plain values for provenance: a name, the data's content hash and the configuration, no path."""
        ...
