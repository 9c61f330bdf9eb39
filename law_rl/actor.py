"""Actors: small values that turn an observation into an action, sent to workers and kept in schedules.

An actor holds tensors and settings only, no code and no optimiser, so it can be written as a tree of tensors and plain
values (`to_tree`, `actor_from_tree`) without pickle. Its exploration noise is a table drawn beforehand from counters,
one
row a stage, so that an episode is the same wherever it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import torch

Exploration = Literal["none", "directional", "additive", "sampled"]
Activation = Literal["relu", "tanh"]
Output = Literal["tanh", "clip"]


class Actor(Protocol):
    """What a worker needs of a policy."""

    @property
    def kind(self) -> str: ...

    def act(self, observation: torch.Tensor, stage: int) -> torch.Tensor:
        """The action [A] in [-1, 1] for one observation [O]; `stage` counts from 0 and includes warm-up stages."""
        ...

    def to_tree(self) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class TableActor:
    """Fixed actions: row k is the action of stage k (`actions`: float32 [stages, A]); later stages repeat the last
    row.
    """

    actions: torch.Tensor

    kind = "table"

    def act(self, observation: torch.Tensor, stage: int) -> torch.Tensor:
        return self.actions[min(stage, len(self.actions) - 1)].clamp(-1.0, 1.0)

    def to_tree(self) -> dict[str, Any]:
        return {"kind": self.kind, "actions": self.actions}


@dataclass(frozen=True, kw_only=True)
class MlpActor:
    """A multilayer perceptron from observation to action, with an optional stage embedding and exploration noise.

    Layer j maps [in] to [out] by `weights[j]` ([out, in]) and `biases[j]`; `activation` stands between layers. The
    output is squashed by tanh or clipped to [-1, 1]. With `embedding` ([rows, E]), entry 0 of the observation is a
    stage index that is replaced by its row (LAW's state). Exploration, with `noise` [stages, A]:
    "directional" adds ||a|| * noise to the action a (LAW), "additive" adds noise to the action in the box, and
    "sampled" draws the action from the policy's Gaussian (before the squashing), whose log standard deviation is the
    vector or the layer `log_std`.
    """

    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]
    activation: Activation = "relu"
    output: Output = "tanh"
    embedding: torch.Tensor | None = None
    log_std: tuple[torch.Tensor, ...] = ()
    exploration: Exploration = "none"
    noise: torch.Tensor | None = None

    kind = "mlp"

    def __post_init__(self) -> None:
        for name, kinds in (("activation", Activation), ("output", Output), ("exploration", Exploration)):
            if getattr(self, name) not in get_args(kinds):
                raise ValueError(f"{name} is {getattr(self, name)!r}: use one of {', '.join(get_args(kinds))}")

    def act(self, observation: torch.Tensor, stage: int) -> torch.Tensor:
        hidden, mean = self._forward(observation)
        noise = self.noise[min(stage, len(self.noise) - 1)] if self.noise is not None else None
        if self.exploration == "sampled" and noise is not None:
            mean = mean + self._std(hidden) * noise
        action = torch.tanh(mean) if self.output == "tanh" else mean
        if self.exploration == "directional" and noise is not None:
            action = action + action.norm() * noise
        elif self.exploration == "additive" and noise is not None:
            action = action.clamp(-1.0, 1.0) + noise
        return action.clamp(-1.0, 1.0)

    def gaussian(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation [A] of the action that exploration "sampled" draws, before the squashing."""
        hidden, mean = self._forward(observation)
        return mean, self._std(hidden)

    def _std(self, hidden: torch.Tensor) -> torch.Tensor:
        if len(self.log_std) == 1:
            return self.log_std[0].exp()
        weight, bias = self.log_std
        return torch.nn.functional.linear(hidden, weight, bias).clamp(-20.0, 2.0).exp()

    def _forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = observation
        if self.embedding is not None:
            row = int(observation[0].round().clamp(0, len(self.embedding) - 1))
            hidden = torch.cat([self.embedding[row], observation[1:]])
        squash = torch.relu if self.activation == "relu" else torch.tanh
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = squash(torch.nn.functional.linear(hidden, weight, bias))
        return hidden, torch.nn.functional.linear(hidden, self.weights[-1], self.biases[-1])

    def greedy(self) -> "MlpActor":
        """The same policy without exploration."""
        return replace(self, exploration="none", noise=None)

    def to_tree(self) -> dict[str, Any]:
        layers = {
            f"{j}": {"weight": w, "bias": b} for j, (w, b) in enumerate(zip(self.weights, self.biases, strict=True))
        }
        tree: dict[str, Any] = {
            "kind": self.kind,
            "layers": layers,
            "activation": self.activation,
            "output": self.output,
        }
        tree |= {"exploration": self.exploration, "log_std": {str(j): t for j, t in enumerate(self.log_std)}}
        optional = {"embedding": self.embedding, "noise": self.noise}
        return tree | {name: tensor for name, tensor in optional.items() if tensor is not None}


def actor_from_tree(tree: Mapping[str, Any]) -> TableActor | MlpActor:
    """The actor that `to_tree` wrote; ValueError for a kind that this version does not know."""
    if tree["kind"] == "table":
        return TableActor(actions=tree["actions"])
    if tree["kind"] != "mlp":
        raise ValueError(f"actor kind {tree['kind']!r} is not known here: use a newer law-rl, or one of 'mlp', 'table'")
    layers = [tree["layers"][str(j)] for j in range(len(tree["layers"]))]
    log_std = tree["log_std"]
    return MlpActor(
        weights=tuple(layer["weight"] for layer in layers),
        biases=tuple(layer["bias"] for layer in layers),
        activation=tree["activation"],
        output=tree["output"],
        embedding=tree.get("embedding"),
        log_std=tuple(log_std[str(j)] for j in range(len(log_std))),
        exploration=tree["exploration"],
        noise=tree.get("noise"),
    )
