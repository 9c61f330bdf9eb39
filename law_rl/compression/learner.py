"""The codec learner: a small codec trained on patches, stage by stage, with patch weights and a moved trade-off."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from torch.nn.utils import clip_grad_norm_

from law_rl.batch import Batch
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.staged_learner import Objective, StagedLearner, check_staged
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork, CodecOutput, build_codec
from law_rl.compression.patches import RD_DB, PatchDataset, gradient_energy
from law_rl.compression.rd_cost import RDCost, rd_cost
from law_rl.counters import torch_generator
from law_rl.features import OF_CODECS, Features, check_feature_names
from law_rl.learner import Directive

NETWORK = CodecConfig(width=16, latents=24)
ADAM = OptimiserConfig(name="adam", lr=1e-3, weight_decay=0.0, schedule="cosine")
FEATURES = ("loss", "loss_rank", *OF_CODECS)
"""What sample weights of codecs may look at."""
CHUNK = 64
"""Patches in one forward pass over a part of the data."""


@dataclass(frozen=True, kw_only=True)
class RateDistortion:
    """The weights of the loss terms besides the bits per pixel, those of the twin: `distortion` multiplies lambda."""

    distortion: float = 1.0

    def __post_init__(self) -> None:
        Directive(losses=asdict(self))


@dataclass(frozen=True, kw_only=True)
class CodecLearnerConfig:
    """How a codec is trained: network, trade-off, optimiser, batches, and the cut into stages.

    `lambda_` is the target, at which the metric weighs the mean squared error (RGB in 0..1) against bits per pixel,
    whatever `losses` and directives set. `clip` is the largest norm of a step's gradient; `precision` "bf16" runs
    forward and backward under autocast; `deterministic` asks CUDA for repeatable kernels.
    """

    network: CodecConfig = NETWORK
    lambda_: float = 1024.0
    losses: RateDistortion = field(default_factory=RateDistortion)
    optimiser: OptimiserConfig = ADAM
    clip: float = 1.0
    batch_size: int = 8
    epochs: int = 3
    stages: int = 4
    features: tuple[str, ...] = tuple(OF_CODECS)
    precision: Literal["float32", "bf16"] = "float32"
    deterministic: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_staged(self)
        check_feature_names(self.features)
        foreign = [name for name in self.features if name not in FEATURES]
        if foreign:
            raise ValueError(f"features names {foreign[0]}, which no codec knows: choose from {', '.join(FEATURES)}")
        for name in ("lambda_", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: give a finite number above 0")

    def learner(self, dataset: PatchDataset, seed: int) -> "CodecLearner":
        """A fresh learner that is trained so, without a teacher."""
        return CodecLearner(self, dataset, seed)


class CodecLearner(StagedLearner):
    """Trains on bits per pixel + weight * lambda * MSE with noise for rounding; its metric is `rd_db`, see RD_DB.

    The losses [B] that features and observations see are the rate-distortion costs at lambda.
    """

    config: CodecLearnerConfig
    dataset: PatchDataset
    network: CodecNetwork

    def __init__(self, config: CodecLearnerConfig, dataset: PatchDataset, seed: int) -> None:
        self._weights: Mapping[str, float] = asdict(config.losses)
        super().__init__(config, dataset, seed)
        self._energy = gradient_energy(self.dataset.train)

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """The terms of the loss with the twin's weights."""
        return asdict(self.config.losses)

    def _build_network(self) -> CodecNetwork:
        config = self.config
        return build_codec(config.network, self.seed, config.device, lambda_=config.lambda_)

    def _build_features(self) -> Features:
        return Features(self.config.features, classes=0, targets=None, memory_decay=0.0)

    def _direct(self, directive: Directive) -> None:
        super()._direct(directive)
        self._weights = {**self.loss_weights, **directive.losses}

    def _objective_of(self, ids: torch.Tensor, iteration: int) -> Objective:
        images = pixels(self.dataset.train.index_select(0, ids))
        noise = torch_generator(self.seed, "quantisation noise", iteration, device=self.config.device)
        output = self.network(images, noise)
        cost = rd_cost(images, output, self.config.lambda_)
        batch = Batch(
            losses=cost.cost.detach(),
            ids=ids,
            bits=cost.bpp.detach(),
            distortion=cost.distortion.detach(),
            gradient_energy=self._energy.index_select(0, ids),
        )
        return Objective(losses=self._losses(images, ids, output, cost), batch=batch)

    def _losses(self, images: torch.Tensor, ids: torch.Tensor, output: CodecOutput, cost: RDCost) -> torch.Tensor:
        """What each patch [B] of the batch is trained on, under the stage's weights."""
        return cost.bpp + self._weights["distortion"] * self.config.lambda_ * cost.distortion

    def _update(self) -> None:
        clip_grad_norm_(self._parameters, self.config.clip)
        super()._update()

    def _losses_of_all(self) -> torch.Tensor:
        return self._rounded(self.dataset.train).cost

    @torch.no_grad()
    def _rounded(self, patches: torch.Tensor) -> RDCost:
        """The costs at lambda of patches uint8 [N, 3, S, S] with real rounding and estimated bits, chunk by chunk."""
        self.network.eval()
        parts = []
        for chunk in torch.split(patches, CHUNK):
            images = pixels(chunk)
            with self._autocast():
                output = self.network(images, None)
            parts.append(rd_cost(images, output, self.config.lambda_))
        return RDCost(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def _measure(self, data: torch.Tensor) -> dict[str, float]:
        """`rd_db`, the mean bits per pixel `bpp`, and `psnr`, the mean of the patches' PSNR in dB."""
        cost = self._rounded(data)
        psnr = -10.0 * cost.distortion.double().clamp_min(1e-10).log10()
        decibels = 10.0 * torch.log10(self.config.lambda_ / cost.cost.double().mean())
        values = torch.stack([decibels, cost.bpp.double().mean(), psnr.mean()])
        return dict(zip((RD_DB, "bpp", "psnr"), values.tolist(), strict=True))

    def fork(self) -> "CodecLearner":
        """A second learner in the same state, sharing the data."""
        twin = CodecLearner(self.config, self.dataset, self.seed)
        twin.restore(self.snapshot())
        return twin


def pixels(patches: torch.Tensor) -> torch.Tensor:
    """Patches uint8 as float32 in 0..1."""
    return patches.float() / 255.0
