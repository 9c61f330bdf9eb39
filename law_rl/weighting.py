"""Weighting rules: the closed, serialisable set of ways in which a stage weights its samples.

Where a rule is `relative`, only ratios of its weights matter: a batch's loss is divided by their sum.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Every sample counts the same: ordinary training."""

    rule: ClassVar[str] = "uniform"
    relative: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class LinearTanh:
    """p_i = 1 + tanh(gain (w . f_i + b)) over named features (LAW's add_weight form, released code)."""

    rule: ClassVar[str] = "linear_tanh"
    relative: ClassVar[bool] = True
    features: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    gain: float = 4.0

    def __post_init__(self) -> None:
        if len(self.features) != len(self.weights):
            raise ValueError(
                f"linear_tanh has {len(self.weights)} weights for {len(self.features)} features: give one each"
            )
        if not all(math.isfinite(value) for value in (*self.weights, self.bias, self.gain)):
            raise ValueError("linear_tanh has a weight, bias or gain that is not finite: give finite numbers")


@dataclass(frozen=True, kw_only=True)
class KeepLowest:
    """The `share` of the whole training set with the lowest losses, ranked anew each epoch, counts 1 and the rest 0."""

    rule: ClassVar[str] = "keep_lowest"
    relative: ClassVar[bool] = True
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}: give the share of samples to keep, above 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class Focal:
    """p_i = (1 - probability of the label) ** gamma (focal loss, Lin et al. 2017, as a weighting)."""

    rule: ClassVar[str] = "focal"
    relative: ClassVar[bool] = False
    gamma: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 20:
            raise ValueError(f"gamma is {self.gamma}: give a number from 0 to 20 (2 is usual)")


@dataclass(frozen=True, kw_only=True)
class SelfPaced:
    """p_i = max(0, 1 - l_i / threshold): easy samples first (self-paced learning with linear soft weights)."""

    rule: ClassVar[str] = "self_paced"
    relative: ClassVar[bool] = True
    threshold: float

    def __post_init__(self) -> None:
        if not 0 < self.threshold < math.inf:
            raise ValueError(f"threshold is {self.threshold}: give a loss above 0, in nats")


@dataclass(frozen=True, kw_only=True)
class ByIndex:
    """Sample i of the training set counts weights[i]: an oracle, or any weighting made elsewhere."""

    rule: ClassVar[str] = "by_index"
    relative: ClassVar[bool] = True
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in self.weights):
            raise ValueError("by_index has a weight that is negative or not finite: give finite weights of at least 0")


Weighting = Uniform | LinearTanh | KeepLowest | Focal | SelfPaced | ByIndex
RULES: dict[str, type[Weighting]] = {
    rule.rule: rule for rule in (Uniform, LinearTanh, KeepLowest, Focal, SelfPaced, ByIndex)
}


def to_json(weighting: Weighting) -> dict[str, Any]:
    """Plain values from which `from_json` makes an equal rule."""
    return {"rule": weighting.rule} | asdict(weighting)


def from_json(value: Mapping[str, Any]) -> Weighting:
    """The rule that `to_json` wrote; ValueError for a rule that this version does not know."""
    rule = RULES.get(value["rule"])
    if rule is None:
        raise ValueError(f"weighting rule {value['rule']!r} is not known: use one of {', '.join(RULES)}")
    arguments = {
        key: tuple(entry) if isinstance(entry, list) else entry for key, entry in value.items() if key != "rule"
    }
    make: Callable[..., Weighting] = rule
    return make(**arguments)


SMALLEST = 2.0**-24
"""The least that 1 + tanh differs from 0 in float32. Below it a batch could weigh nothing, and its loss be 0 / 0."""


def linear_tanh(rule: LinearTanh, features: list[torch.Tensor]) -> torch.Tensor:
    """Sample weights [B] in (0, 2] from one feature [B] a weight."""
    score = features[0] * (rule.gain * rule.weights[0])
    for feature, weight in zip(features[1:], rule.weights[1:], strict=True):
        score.add_(feature, alpha=rule.gain * weight)
    return score.add_(rule.gain * rule.bias).tanh_().add_(1.0).clamp_min_(SMALLEST)


def focal(rule: Focal, losses: torch.Tensor) -> torch.Tensor:
    """Sample weights [B] from cross-entropy losses [B] in nats: the label's probability is exp(-loss)."""
    return (1.0 - torch.exp(-losses)).pow(rule.gamma)


def self_paced(rule: SelfPaced, losses: torch.Tensor) -> torch.Tensor:
    """Sample weights [B] in [0, 1] from losses [B] in nats."""
    return (1.0 - losses / rule.threshold).clamp_min(0.0)


def gradient_weights(losses: torch.Tensor, weights: torch.Tensor | None, *, relative: bool = True) -> torch.Tensor:
    """The gradient [B] of the batch's loss with respect to the samples' losses l: p / sum(p), or 1 / B for uniform
    weights.

    The batch's loss is sum(p l) / sum(p), or with `relative` off sum(p l) / B, as focal loss is defined: there small
    weights mean small steps.
    """
    if weights is None:
        return torch.full_like(losses, 1.0 / len(losses))
    return weights / weights.sum().clamp_min(1e-8) if relative else weights / len(losses)
