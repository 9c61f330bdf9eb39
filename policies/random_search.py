"""Random search: the least that a learned policy must beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from policies.exploration import random_actions


@dataclass(frozen=True, kw_only=True)
class RandomSearchConfig:
    """Uniformly random actions, kept if an episode with them ended with the highest advantage over the twin so far.

    `policy` "constant" draws one action for the whole training, "table" one for each stage.
    """

    policy: Literal["constant", "table"] = "constant"

    name = "random_search"

    def __post_init__(self) -> None:
        if self.policy not in ("constant", "table"):
            raise ValueError(f"policy is {self.policy!r}: give 'constant' or 'table'")

    def build(self, spec: AgentSpec) -> "RandomSearch":
        return RandomSearch(self, spec)


class RandomSearch:
    """The agent of a RandomSearchConfig; before any episode its policy is uniform weights."""

    def __init__(self, config: RandomSearchConfig, spec: AgentSpec) -> None:
        self._config, self._spec = config, spec
        self._best, self._advantage = torch.tensor([spec.baseline]), 0.0

    def actor(self, episode: int) -> TableActor:
        stages = 1 if self._config.policy == "constant" else self._spec.stages
        return TableActor(actions=random_actions(self._spec, episode, stages=stages))

    def take(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        assert isinstance(actor, TableActor)
        if not episode.failure and episode.advantage > self._advantage:
            self._best, self._advantage = actor.actions, episode.advantage

    def policy(self) -> TableActor:
        return TableActor(actions=self._best)

    def state(self) -> dict[str, Any]:
        return {"best": self._best.clone(), "advantage": self._advantage}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._best, self._advantage = state["best"].clone(), float(state["advantage"])
