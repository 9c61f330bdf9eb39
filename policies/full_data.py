"""DDPG with LAW's full-data update, and the networks of LAW's agent, on Stable-Baselines3's classes."""

from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import nn


class StageEmbedding(BaseFeaturesExtractor):
    """Replaces entry 0 of the observation, a stage index, by its row of a learned table; the other entries pass."""

    def __init__(self, observation_space: gymnasium.spaces.Box, rows: int, size: int) -> None:
        super().__init__(observation_space, size + observation_space.shape[0] - 1)
        self.table = nn.Embedding(rows, size)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        rows = observations[:, 0].round().long().clamp(0, self.table.num_embeddings - 1)
        return torch.cat([self.table(rows), observations[:, 1:]], dim=1)


class BoundsToUnit(BaseFeaturesExtractor):
    """Scales each entry's bounds to [-1, 1]: `scale` * observation + `shift`."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, observation_space: gymnasium.spaces.Box) -> None:
        super().__init__(observation_space, observation_space.shape[0])
        low, high = torch.from_numpy(observation_space.low), torch.from_numpy(observation_space.high)
        self.register_buffer("scale", 2.0 / (high - low))
        self.register_buffer("shift", -(high + low) / (high - low))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return observations * self.scale + self.shift


class LinearActor(Actor):
    """TD3's actor without the tanh at its end."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.mu = nn.Sequential(*list(self.mu.children())[:-1])


class ClippedPolicy(TD3Policy):
    """Acts with the linear output clipped to the box.

    The actor's loss sees the output before the clipping, so that an entry outside the box still gets a gradient (our
    reading: the released code has no box).
    """

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        settings = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return LinearActor(**settings).to(self.device)

    def _predict(self, observation: Any, deterministic: bool = False) -> torch.Tensor:
        action: torch.Tensor = self.actor(observation)
        return action.clamp(-1.0, 1.0)


class FullDataDDPG(DDPG):
    """DDPG whose `train(n, batch_size)` passes n times over the whole buffer in minibatches, remainder dropped."""

    gradient_clip: float
    action_penalty: float

    def train(self, gradient_steps: int, batch_size: int = 32) -> None:
        assert self.replay_buffer is not None
        size = self.replay_buffer.size()
        if size < batch_size:
            return
        everything = self.replay_buffer._get_samples(np.arange(size))
        for _ in range(gradient_steps):
            order = torch.randperm(size)
            for start in range(0, size - batch_size + 1, batch_size):
                self._step(everything, order[start : start + batch_size])

    def _step(self, everything: ReplayBufferSamples, rows: torch.Tensor) -> None:
        observations, actions = everything.observations[rows], everything.actions[rows]
        next_observations, dones = everything.next_observations[rows], everything.dones[rows]
        with torch.no_grad():
            next_actions = self.actor_target(next_observations).clamp(-1.0, 1.0)
            (next_values,) = self.critic_target(next_observations, next_actions)
            targets = everything.rewards[rows] + (1.0 - dones) * self.gamma * next_values
        (values,) = self.critic(observations, actions)
        self._descend(self.critic, nn.functional.mse_loss(values, targets))
        chosen = self.actor(observations)
        value = self.critic.q1_forward(observations, chosen).mean()
        self._descend(self.actor, self.action_penalty * chosen.norm(dim=1).mean() - value)
        polyak_update(self.critic.parameters(), self.critic_target.parameters(), self.tau)
        polyak_update(self.actor.parameters(), self.actor_target.parameters(), self.tau)
        self._n_updates += 1

    def _descend(self, network: Any, loss: torch.Tensor) -> None:
        parameters = list(network.parameters())
        network.optimizer.zero_grad()
        loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, self.gradient_clip)
        network.optimizer.step()
