"""Stable-Baselines3's PPO as an agent: it trains on batches of whole episodes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from policies.exploration import gaussian_noise
from policies.stable_baselines import (
    SpacesOnly,
    counter_draws,
    frozen_layers,
    linear_layers,
    optimiser_state,
    restore_optimiser,
    without_logging,
)

Transitions = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Stock PPO; names and meanings are those of Stable-Baselines3.

    It trains after every `episodes_per_update` episodes, on rewards scaled by `reward_scale`.
    """

    layers: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-3
    batch_size: int = 32
    n_epochs: int = 10
    gamma: float = 0.99
    gae_lambda: float = 0.95
    log_std_init: float = -0.7
    episodes_per_update: int = 4
    reward_scale: float = 0.1

    name = "ppo"

    def __post_init__(self) -> None:
        if self.episodes_per_update < 1 or self.batch_size < 2 or self.n_epochs < 1:
            raise ValueError(
                f"episodes_per_update is {self.episodes_per_update}, batch_size {self.batch_size} and n_epochs "
                f"{self.n_epochs}: give at least 1, 2 and 1"
            )
        if not self.learning_rate > 0 or not self.reward_scale > 0:
            raise ValueError(
                f"learning_rate is {self.learning_rate} and reward_scale {self.reward_scale}: give numbers above 0"
            )

    def build(self, spec: AgentSpec) -> "OnPolicyAgent":
        return OnPolicyAgent(self, spec)


class OnPolicyAgent:
    """The agent of a PPOConfig.

    An action's log-probability is that of the actor which drew it; with a search's lag that actor may be older than the
    one being trained, which PPO's ratio corrects. Values are those of the critic when the episode is taken.
    """

    def __init__(self, config: PPOConfig, spec: AgentSpec) -> None:
        self._config, self._spec = config, spec
        self._pending: list[Transitions] = []
        with counter_draws(spec.seed, "initialisation"):
            self._model = PPO(
                "MlpPolicy",
                SpacesOnly(spec),
                learning_rate=config.learning_rate,
                n_steps=config.batch_size,  # the buffer is made anew for each update
                batch_size=config.batch_size,
                n_epochs=config.n_epochs,
                gamma=config.gamma,
                gae_lambda=config.gae_lambda,
                policy_kwargs={"net_arch": list(config.layers), "log_std_init": config.log_std_init},
                device="cpu",
            )
        without_logging(self._model)

    def actor(self, episode: int) -> MlpActor:
        noise = gaussian_noise(self._spec, episode, scale=1.0, decay=0.0)
        return replace(self.policy(), exploration="sampled", noise=noise)

    def policy(self) -> MlpActor:
        policy = self._model.policy
        weights, biases = frozen_layers(linear_layers(policy.mlp_extractor.policy_net, policy.action_net))
        log_std = policy.log_std.detach().clone()
        return MlpActor(weights=weights, biases=biases, activation="tanh", output="clip", log_std=(log_std,))

    def take(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        assert isinstance(actor, MlpActor)
        with counter_draws(self._spec.seed, "update", index):
            self._pending.append(self._transitions(actor, episode))
            if len(self._pending) == self._config.episodes_per_update:
                self._model.rollout_buffer = self._rollouts()
                self._model.train()
                self._pending = []

    def _transitions(self, actor: MlpActor, episode: Episode) -> Transitions:
        """What PPO learns from, with the actions before they were clipped."""
        assert actor.noise is not None
        observations = episode.observations[:-1]
        actions, log_probs = [], []
        for observation, noise in zip(observations, actor.noise[self._spec.warmup :], strict=False):
            mean, std = actor.gaussian(observation)
            actions.append(mean + std * noise)
            log_probs.append(_log_probability(std, noise))
        with torch.no_grad():
            values = self._model.policy.predict_values(observations)
        return {
            "observations": observations,
            "actions": torch.stack(actions),
            "rewards": episode.rewards * self._config.reward_scale,
            "values": values,
            "log_probs": torch.stack(log_probs),
        }

    def _rollouts(self) -> RolloutBuffer:
        model, config = self._model, self._config
        size = sum(len(episode["rewards"]) for episode in self._pending)
        buffer = RolloutBuffer(
            size,
            model.observation_space,
            model.action_space,
            device="cpu",
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )
        for episode in self._pending:
            for k in range(len(episode["rewards"])):
                observation, action = episode["observations"][k].numpy(), episode["actions"][k].numpy()
                start, reward = np.array([k == 0]), episode["rewards"][k].numpy()
                buffer.add(observation, action, reward, start, episode["values"][k], episode["log_probs"][k])
        buffer.compute_returns_and_advantage(torch.zeros(1), dones=np.array([True]))
        return buffer

    def state(self) -> dict[str, Any]:
        policy = self._model.policy
        return {
            "networks": {name: tensor.clone() for name, tensor in policy.state_dict().items()},
            "optimiser": optimiser_state(policy.optimizer),
            "pending": [dict(episode) for episode in self._pending],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._model.policy.load_state_dict(state["networks"])
        restore_optimiser(self._model.policy.optimizer, state["optimiser"])
        self._pending = [dict(episode) for episode in state["pending"]]


def _log_probability(std: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Log-density of the Gaussian at mean + std * noise, summed over the entries."""
    return (-0.5 * noise.square() - std.log() - 0.5 * math.log(2 * math.pi)).sum()
