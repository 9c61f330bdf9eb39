"""Optimisers and learning-rate schedules of the inner loops."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

OptimiserName = Literal["sgd", "adam"]
ScheduleName = Literal["constant", "step", "cosine"]

_FUSED_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How a network is optimised.

    `momentum` and `nesterov` belong to sgd; `weight_decay` is added to the gradient (L2) by both optimisers and acts on
    all parameters. `milestones` are the shares of training at which schedule "step" multiplies the rate by `factor`.
    Raises ValueError for a value out of range, and for nesterov without a momentum to act on.
    """

    name: OptimiserName = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    schedule: ScheduleName = "step"
    milestones: tuple[float, ...] = (0.75, 0.875)
    factor: float = 0.1

    def __post_init__(self) -> None:
        if self.name not in get_args(OptimiserName):
            raise ValueError(f"name is {self.name!r}; use one of {', '.join(get_args(OptimiserName))}.")
        if self.schedule not in get_args(ScheduleName):
            raise ValueError(f"schedule is {self.schedule!r}; use one of {', '.join(get_args(ScheduleName))}.")
        if not 0.0 < self.lr < math.inf:
            raise ValueError(f"lr is {self.lr}; give a finite learning rate above 0.")
        if not 0.0 <= self.momentum < 1.0:
            raise ValueError(f"momentum is {self.momentum}; give a value in [0, 1).")
        if self.nesterov and (self.name == "adam" or self.momentum == 0.0):
            raise ValueError(
                f"nesterov is set, but {self.name} with momentum {self.momentum} has none to look ahead with; "
                "use sgd with momentum above 0, or unset it."
            )
        if not 0.0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay is {self.weight_decay}; give a finite value of at least 0.")
        if not 0.0 < self.factor <= 1.0:
            raise ValueError(f"factor is {self.factor}; give a value in (0, 1].")
        inside = all(0.0 < milestone < 1.0 for milestone in self.milestones)
        if not inside or list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones is {self.milestones}; give shares of training in (0, 1) in rising order.")


def build_optimiser(config: OptimiserConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser at learning rate `config.lr`, with its fused kernel where the parameters' device has one.

    Set each group's "lr" to `learning_rate(config, progress)` before a step. Raises ValueError without parameters.
    """
    parameters = list(parameters)
    fused = all(parameter.device.type in _FUSED_DEVICES for parameter in parameters)
    if config.name == "adam":
        return torch.optim.Adam(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=fused)
    return torch.optim.SGD(
        parameters,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=fused,
    )


def restore_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Goes on from a `state_dict`, bit for bit, also from one that was in a file (`law_rl.files`).

    A file turns the numbers that name parameters into strings, and does not keep how tensors lie in memory, on which
    the bits of a step depend: here those of a parameter's shape are laid out as it is.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]

    def laid_out(value: Any, parameter: torch.Tensor) -> Any:
        same = isinstance(value, torch.Tensor) and value.shape == parameter.shape
        return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if same else value

    entries = {
        int(number): {name: laid_out(value, parameters[int(number)]) for name, value in entry.items()}
        for number, entry in state["state"].items()
    }
    optimiser.load_state_dict({**state, "state": entries})


def learning_rate(config: OptimiserConfig, progress: float) -> float:
    """The learning rate after the share `progress` of training, in [0, 1]; cosine falls from lr to 0 (1608.03983)."""
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress is {progress}; give the share of training done, in [0, 1].")
    match config.schedule:
        case "constant":
            return config.lr
        case "step":
            passed = sum(progress >= milestone for milestone in config.milestones)
            return config.lr * config.factor**passed
        case "cosine":
            return config.lr * 0.5 * (1.0 + math.cos(math.pi * progress))
