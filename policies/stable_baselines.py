"""What agents made of Stable-Baselines3 share: models without an environment, seeded draws, state without pickle."""

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from torch import nn

from law_rl.agent import AgentSpec
from law_rl.counters import counter_seed


class SpacesOnly(gymnasium.Env[np.ndarray, np.ndarray]):
    """The spaces of a search's environment: all that a model must know when whole episodes are fed to it."""

    def __init__(self, spec: AgentSpec) -> None:
        low, high = np.array(spec.low, np.float32), np.array(spec.high, np.float32)
        self.observation_space = gymnasium.spaces.Box(low, high)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (len(spec.action),), np.float32)


@contextmanager
def counter_draws(seed: int, purpose: str, *counters: int) -> Iterator[None]:
    """Inside, the global generators that Stable-Baselines3 draws from start at the counters; after, as before."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    value = counter_seed(seed, purpose, *counters)
    torch.default_generator.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def without_logging(model: BaseAlgorithm) -> None:
    """Lets `model.train()` be called outside `learn()`: its records go nowhere."""
    model.set_logger(Logger(folder=None, output_formats=[]))


def linear_layers(*modules: nn.Module) -> list[nn.Linear]:
    """The linear layers inside the modules, in order."""
    return [layer for module in modules for layer in module.modules() if isinstance(layer, nn.Linear)]


def frozen_layers(
    layers: Sequence[nn.Linear],
) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """Copies of the layers' weights and biases, as MlpActor holds them."""
    weights = tuple(layer.weight.detach().clone() for layer in layers)
    return weights, tuple(layer.bias.detach().clone() for layer in layers)


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """The moments and step counts of every parameter, by its number."""
    return {str(number): entry for number, entry in copy.deepcopy(optimiser.state_dict()["state"]).items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    moments = {int(number): entry for number, entry in copy.deepcopy(dict(state)).items()}
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
