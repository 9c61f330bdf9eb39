"""Hand-made baselines: curricula that people write down, run in the same trainings as learned ones."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from law_rl.counters import numpy_generator
from law_rl.learner import Directive, Learner
from law_rl.weighting import ByIndex, Focal, KeepLowest, LinearTanh, SelfPaced

LOSS_GAIN = 4.0


def _by_loss(weight: float, bias: float = 0.0) -> Directive:
    return Directive(weighting=LinearTanh(features=("loss",), weights=(weight,), bias=bias, gain=LOSS_GAIN))


@dataclass(frozen=True, kw_only=True)
class UniformWeights:
    """Ordinary training: every sample counts the same."""

    name: str = "uniform"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive()


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """The ceiling: mislabelled samples get weight 0."""

    name: str = "oracle"
    needs_mislabelled: ClassVar[bool] = True

    def directive(self, learner: Learner) -> Directive:
        return Directive(weighting=ByIndex(weights=tuple((~_mislabelled(learner)).float().tolist())))


@dataclass(frozen=True, kw_only=True)
class SmallLoss:
    """Keeps the share of the whole set with the lowest losses, ranked each epoch: the true share of clean labels."""

    name: str = "small_loss"
    needs_mislabelled: ClassVar[bool] = True

    def directive(self, learner: Learner) -> Directive:
        clean = 1.0 - float(_mislabelled(learner).float().mean())
        return Directive(weighting=KeepLowest(share=clean))


@dataclass(frozen=True, kw_only=True)
class SelfPacedPace:
    """Self-paced learning: the loss up to which samples count rises geometrically from log(2) to 8 nats."""

    name: str = "self_paced"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        low, high = math.log(2.0), 8.0
        progress = learner.stage / max(learner.stages - 1, 1)
        return Directive(weighting=SelfPaced(threshold=low * (high / low) ** progress))


@dataclass(frozen=True, kw_only=True)
class FocalLoss:
    """Focal loss with gamma 2: well-classified samples count little."""

    name: str = "focal"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(weighting=Focal(gamma=2.0))


@dataclass(frozen=True, kw_only=True)
class HardMining:
    """Hard-example mining: samples of above-average loss count up to twice, the others down to nothing."""

    name: str = "hard_mining"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return _by_loss(1.0)


@dataclass(frozen=True, kw_only=True)
class LinearRamp:
    """From uniform weights at the start, linearly to hard suppression of above-average losses at the end."""

    name: str = "linear_ramp"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return _by_loss(-learner.stage / max(learner.stages - 1, 1))


@dataclass(frozen=True, kw_only=True)
class RandomWeights:
    """A random weighting by loss for each stage, from `seed`."""

    seed: int = 0
    name: str = "random"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        weight, bias = numpy_generator(self.seed, "random baseline", learner.stage).uniform(-1.0, 1.0, 2)
        return _by_loss(float(weight), float(bias))


def _mislabelled(learner: Learner) -> torch.Tensor:
    if learner.mislabelled is None:
        raise ValueError(
            "which labels are wrong is not known for this data: leave out the baselines oracle and small_loss"
        )
    return learner.mislabelled


STANDARD = (
    UniformWeights(),
    SelfPacedPace(),
    FocalLoss(),
    HardMining(),
    LinearRamp(),
    RandomWeights(),
    SmallLoss(),
    Oracle(),
)
