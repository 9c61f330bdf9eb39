"""What a search knows of an agent: it makes actors, takes results in order, and can be saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from law_rl.actor import MlpActor, TableActor


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One whole training as a policy saw it, in float32; S stages under the policy.

    observations [S + 1, O] (the last one after the final stage), actions [S, A], rewards [S]; `metric` and
    `twin_metric` at the end in points; mean weights of clean and mislabelled samples per stage [S], and of samples by
    their loss [S, bins] (`law_rl.stage_weights`), NaN where not known.
    """

    training_seed: int
    observations: torch.Tensor
    actions: torch.Tensor
    rewards: torch.Tensor
    metric: float
    twin_metric: float
    failure: str
    weight_clean: torch.Tensor
    weight_mislabelled: torch.Tensor
    weight_by_loss: torch.Tensor

    @property
    def advantage(self) -> float:
        """The final gain over the twin in points."""
        return self.metric - self.twin_metric

    def to_tree(self) -> dict[str, Any]:
        return dict(vars(self))

    @staticmethod
    def from_tree(tree: Mapping[str, Any]) -> "Episode":
        return Episode(**tree)


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """The problem that an agent is made for: names and bounds of observation and action, the twin's action `baseline`,
    stages, and the search's seed.
    """

    observation: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    action: tuple[str, ...]
    baseline: tuple[float, ...]
    stages: int
    warmup: int
    seed: int


class Agent(Protocol):
    """A way of learning a policy from whole episodes."""

    def actor(self, episode: int) -> TableActor | MlpActor:
        """The policy for one episode, exploration included: a function of what was taken so far, the seed and
        `episode`.
        """
        ...

    def take(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        """Learns from episode `index`, which `actor` ran; called once an episode, in order."""
        ...

    def policy(self) -> TableActor | MlpActor:
        """The best policy known now, without exploration."""
        ...

    def state(self) -> dict[str, Any]:
        """A tree of tensors and plain values from which `restore` goes on with the same bits."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None: ...


class AgentConfig(Protocol):
    """The typed settings of one kind of agent."""

    @property
    def name(self) -> str: ...

    def build(self, spec: AgentSpec) -> Agent: ...
