"""What learners of codecs share: a rate-distortion cost whose trade-off stages move, and a metric that they do not."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch.nn.utils import clip_grad_norm_

from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.staged_learner import StagedLearner, check_staged
from law_rl.compression.rd_cost import RD_DB, RDCost
from law_rl.features import OF_IMAGES, Features, check_feature_names
from law_rl.learner import Directive

ADAM = OptimiserConfig(name="adam", lr=1e-3, weight_decay=0.0, schedule="cosine")
CHUNK = 64
"""Images in one forward pass over a part of the data."""


@dataclass(frozen=True, kw_only=True)
class RateDistortion:
    """The weights of the loss terms besides the bits per pixel, those of the twin: `distortion` multiplies lambda."""

    distortion: float = 1.0

    def __post_init__(self) -> None:
        Directive(losses=asdict(self))


@dataclass(frozen=True, kw_only=True)
class RDLearnerConfig:
    """How a codec is trained: trade-off, optimiser, batches, and the cut into stages.

    `lambda_` is the target, at which the metric weighs the mean squared error (RGB in 0..1) against bits per pixel,
    whatever `losses` and directives set. `clip` is the largest norm of a step's gradient; `precision` "bf16" runs
    forward and backward under autocast; `deterministic` asks CUDA for repeatable kernels.
    """

    known: ClassVar[tuple[str, ...]] = ("loss", "loss_rank", *OF_IMAGES)
    """What sample weights may look at."""
    lambda_: float = 1024.0
    losses: RateDistortion = field(default_factory=RateDistortion)
    optimiser: OptimiserConfig = ADAM
    clip: float = 1.0
    batch_size: int = 8
    epochs: int = 3
    stages: int = 4
    features: tuple[str, ...] = tuple(OF_IMAGES)
    precision: Literal["float32", "bf16"] = "float32"
    deterministic: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_staged(self)
        check_feature_names(self.features)
        foreign = [name for name in self.features if name not in self.known]
        if foreign:
            raise ValueError(
                f"features names {foreign[0]}, which this codec does not know: choose from {', '.join(self.known)}"
            )
        for name in ("lambda_", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: give a finite number above 0")


class RDLearner(StagedLearner):
    """Trains on bits per pixel + weight * lambda * MSE with noise for rounding; its metric is `rd_db`, see RD_DB.

    The losses [B] that features and observations see are the rate-distortion costs at lambda. Subclasses build the
    network, say what a batch is trained on, and how all samples of a part of the data are coded.
    """

    config: RDLearnerConfig

    def __init__(self, config: RDLearnerConfig, dataset: Any, seed: int) -> None:
        self._weights: Mapping[str, float] = asdict(config.losses)
        super().__init__(config, dataset, seed)

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """The terms of the loss with the twin's weights."""
        return asdict(self.config.losses)

    def _build_features(self) -> Features:
        return Features(self.config.features, classes=0, targets=None, memory_decay=0.0)

    def _direct(self, directive: Directive) -> None:
        super()._direct(directive)
        self._weights = {**self.loss_weights, **directive.losses}

    def _update(self) -> None:
        clip_grad_norm_(self._parameters, self.config.clip)
        super()._update()

    def _losses_of_all(self) -> torch.Tensor:
        return self._rounded(self.dataset.train).cost

    @abstractmethod
    def _rounded(self, data: Any) -> RDCost:
        """The costs [N] at lambda of all samples of a part, in order, with real rounding and estimated bits."""

    def _measure(self, data: Any) -> dict[str, float]:
        """`rd_db`, the mean bits per pixel `bpp`, and `psnr`, the mean of the samples' PSNR in dB."""
        cost = self._rounded(data)
        psnr = -10.0 * cost.distortion.double().clamp_min(1e-10).log10()
        decibels = 10.0 * torch.log10(self.config.lambda_ / cost.cost.double().mean())
        values = torch.stack([decibels, cost.bpp.double().mean(), psnr.mean()])
        return dict(zip((RD_DB, "bpp", "psnr"), values.tolist(), strict=True))


def joined(costs: list[RDCost]) -> RDCost:
    """The costs of several batches in their order."""
    return RDCost(*(torch.cat(values) for values in zip(*costs, strict=True)))
