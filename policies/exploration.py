"""Exploration: tables of noise, one row a stage, drawn from counters; `MlpActor` says how a row changes an action."""

import torch

from law_rl.agent import AgentSpec
from law_rl.counters import torch_generator

OU_THETA, OU_SIGMA, OU_STEP = 0.15, 0.2, 0.01


def directional_noise(spec: AgentSpec, episode: int, *, probability: float, scale: float, decay: float) -> torch.Tensor:
    """The table [stages, A] of LAW's exploration (released code), for MlpActor's "directional".

    With `probability` a stage's action a becomes ||a|| (a / ||a|| + eps OU_t) and its row is eps OU_t, else it is 0.
    eps is `scale` less `decay` for each action selected before, at least 0; the OU process (theta 0.15, mu 0,
    sigma 0.2, dt 0.01) starts at 0 in each episode.
    """
    generator = torch_generator(spec.seed, "exploration", episode)
    shocks = torch.randn(spec.stages, len(spec.action), generator=generator)
    taken = torch.rand(spec.stages, 1, generator=generator) < probability
    walk = torch.zeros_like(shocks)
    value = torch.zeros(len(spec.action))
    for stage in range(spec.warmup, spec.stages):
        value = value - OU_THETA * OU_STEP * value + OU_SIGMA * OU_STEP**0.5 * shocks[stage]
        walk[stage] = value
    return walk * taken * _falling(spec, episode, scale, decay)


def gaussian_noise(spec: AgentSpec, episode: int, *, scale: float, decay: float) -> torch.Tensor:
    """A table [stages, A] of independent normal noise for MlpActor's "additive"; its std falls as eps does in LAW's."""
    generator = torch_generator(spec.seed, "exploration", episode)
    shocks = torch.randn(spec.stages, len(spec.action), generator=generator)
    return shocks * _falling(spec, episode, scale, decay)


def random_actions(spec: AgentSpec, episode: int, *, stages: int) -> torch.Tensor:
    """Actions [stages, A] drawn uniformly from [-1, 1]."""
    generator = torch_generator(spec.seed, "random actions", episode)
    return torch.rand(stages, len(spec.action), generator=generator) * 2.0 - 1.0


def _falling(spec: AgentSpec, episode: int, scale: float, decay: float) -> torch.Tensor:
    stage = torch.arange(spec.stages).sub(spec.warmup).clamp_min(0)
    selections = episode * (spec.stages - spec.warmup) + stage
    return (scale - decay * selections).clamp_min(0.0)[:, None]
