"""Stable-Baselines3's off-policy algorithms as agents: whole episodes go into the replay buffer, then it trains."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import nn

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from policies.exploration import gaussian_noise, random_actions
from policies.stable_baselines import (
    SpacesOnly,
    counter_draws,
    frozen_layers,
    linear_layers,
    optimiser_state,
    restore_optimiser,
    without_logging,
)

_BUFFER_PARTS = ("observations", "next_observations", "actions", "rewards", "dones")


class OffPolicyAgent(ABC):
    """An off-policy model of Stable-Baselines3 as an agent; subclasses say how it learns and what its actors are.

    The first `random_episodes` each hold one uniformly random action. Rewards enter the buffer times `reward_scale`.
    """

    def __init__(
        self, spec: AgentSpec, model: OffPolicyAlgorithm, *, random_episodes: int, reward_scale: float
    ) -> None:
        self._spec, self._model = spec, model
        self._random_episodes, self._reward_scale = random_episodes, reward_scale
        without_logging(model)

    @abstractmethod
    def _exploring(self, episode: int) -> MlpActor:
        """The actor of an episode that is not random."""

    @abstractmethod
    def policy(self) -> MlpActor: ...

    @abstractmethod
    def _learn(self, episode: Episode) -> None:
        """Stores an episode's transitions and trains."""

    def actor(self, episode: int) -> TableActor | MlpActor:
        if episode < self._random_episodes:
            return TableActor(actions=random_actions(self._spec, episode, stages=1))
        return self._exploring(episode)

    def take(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        with counter_draws(self._spec.seed, "update", index):
            self._learn(episode)

    @property
    def _buffer(self) -> ReplayBuffer:
        assert self._model.replay_buffer is not None
        return self._model.replay_buffer

    def _stored(self, episode: Episode) -> Iterator[None]:
        """Adds an episode's transitions to the buffer, and yields after each."""
        observations, actions = episode.observations.numpy(), episode.actions.numpy()
        rewards = (episode.rewards * self._reward_scale).numpy()
        for k in range(len(actions)):
            last = np.array([k == len(actions) - 1])
            self._buffer.add(observations[k], observations[k + 1], actions[k], rewards[k], last, [{}])
            yield

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        model: Any = self._model
        optimisers = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
        if isinstance(model, SAC) and model.ent_coef_optimizer is not None:
            optimisers["entropy"] = model.ent_coef_optimizer
        return optimisers

    def state(self) -> dict[str, Any]:
        buffer, size = self._buffer, self._buffer.size()
        state = {
            "networks": {name: tensor.clone() for name, tensor in self._model.policy.state_dict().items()},
            "optimisers": {name: optimiser_state(optimiser) for name, optimiser in self._optimisers().items()},
            "updates": self._model._n_updates,
            "buffer": {part: torch.from_numpy(getattr(buffer, part)[:size].copy()) for part in _BUFFER_PARTS},
            "position": buffer.pos,
        }
        if isinstance(self._model, SAC) and self._model.log_ent_coef is not None:
            state["log_entropy_coefficient"] = self._model.log_ent_coef.detach().clone()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        self._model.policy.load_state_dict(state["networks"])
        for name, optimiser in self._optimisers().items():
            restore_optimiser(optimiser, state["optimisers"][name])
        self._model._n_updates = int(state["updates"])
        size = len(state["buffer"]["rewards"])
        for part in _BUFFER_PARTS:
            getattr(self._buffer, part)[:size] = state["buffer"][part].numpy()
        self._buffer.pos, self._buffer.full = int(state["position"]), size == self._buffer.buffer_size
        if isinstance(self._model, SAC) and self._model.log_ent_coef is not None:
            self._model.log_ent_coef.data.copy_(state["log_entropy_coefficient"])


@dataclass(frozen=True, kw_only=True)
class OffPolicyConfig:
    """What the stock algorithms have in common; names and meanings are those of Stable-Baselines3.

    After each episode they take `gradient_steps` steps for each of its transitions. Rewards are scaled by
    `reward_scale`; the first `random_episodes` each hold one random action.
    """

    layers: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-3
    batch_size: int = 64
    gamma: float = 0.99
    tau: float = 0.005
    buffer_size: int = 10_000
    gradient_steps: int = 10
    random_episodes: int = 8
    reward_scale: float = 0.1

    def __post_init__(self) -> None:
        if self.gradient_steps < 1 or self.batch_size < 1 or self.random_episodes < 0:
            raise ValueError(
                f"gradient_steps is {self.gradient_steps}, batch_size {self.batch_size} and random_episodes "
                f"{self.random_episodes}: give at least 1, 1 and 0"
            )
        if not self.learning_rate > 0 or not self.reward_scale > 0:
            raise ValueError(
                f"learning_rate is {self.learning_rate} and reward_scale {self.reward_scale}: give numbers above 0"
            )

    def model(self, algorithm: type[DDPG] | type[TD3] | type[SAC], spec: AgentSpec) -> OffPolicyAlgorithm:
        """A model of the algorithm over the spaces of `spec`, initialised from its seed."""
        with counter_draws(spec.seed, "initialisation"):
            return algorithm(
                "MlpPolicy",
                SpacesOnly(spec),
                learning_rate=self.learning_rate,
                batch_size=self.batch_size,
                gamma=self.gamma,
                tau=self.tau,
                buffer_size=self.buffer_size,
                policy_kwargs={"net_arch": list(self.layers)},
                device="cpu",
            )


@dataclass(frozen=True, kw_only=True)
class DDPGConfig(OffPolicyConfig):
    """Stock DDPG, exploring with normal noise of standard deviation `noise` at each stage."""

    noise: float = 0.2

    name = "ddpg"

    def build(self, spec: AgentSpec) -> "StockAgent":
        return StockAgent(self, spec, self.model(DDPG, spec), noise=self.noise)


@dataclass(frozen=True, kw_only=True)
class TD3Config(OffPolicyConfig):
    """Stock TD3, exploring with normal noise of standard deviation `noise` at each stage."""

    noise: float = 0.2

    name = "td3"

    def build(self, spec: AgentSpec) -> "StockAgent":
        return StockAgent(self, spec, self.model(TD3, spec), noise=self.noise)


@dataclass(frozen=True, kw_only=True)
class SACConfig(OffPolicyConfig):
    """Stock SAC with a learned entropy coefficient, exploring by its own policy's Gaussian."""

    name = "sac"

    def build(self, spec: AgentSpec) -> "StockAgent":
        return StockAgent(self, spec, self.model(SAC, spec), noise=1.0)


class StockAgent(OffPolicyAgent):
    """The agent of a stock algorithm."""

    def __init__(self, config: OffPolicyConfig, spec: AgentSpec, model: OffPolicyAlgorithm, *, noise: float) -> None:
        super().__init__(spec, model, random_episodes=config.random_episodes, reward_scale=config.reward_scale)
        self._config, self._noise = config, noise

    def _learn(self, episode: Episode) -> None:
        transitions = sum(1 for _ in self._stored(episode))
        self._model.train(transitions * self._config.gradient_steps, self._config.batch_size)

    def _exploring(self, episode: int) -> MlpActor:
        noise = gaussian_noise(self._spec, episode, scale=self._noise, decay=0.0)
        return replace(
            self.policy(), exploration="sampled" if isinstance(self._model, SAC) else "additive", noise=noise
        )

    def policy(self) -> MlpActor:
        model: Any = self._model
        if not isinstance(model, SAC):
            weights, biases = frozen_layers(linear_layers(model.actor.mu))
            return MlpActor(weights=weights, biases=biases)
        weights, biases = frozen_layers(linear_layers(model.actor.latent_pi, model.actor.mu))
        assert isinstance(model.actor.log_std, nn.Linear)
        log_std = frozen_layers([model.actor.log_std])
        return MlpActor(weights=weights, biases=biases, log_std=(*log_std[0], *log_std[1]))
