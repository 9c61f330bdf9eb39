"""The image codec's learner: a small codec trained on patches, stage by stage, with patch weights and a moved
trade-off.
"""

from dataclasses import dataclass

import torch

from law_rl.batch import Batch
from law_rl.classification.staged_learner import Objective
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork, CodecOutput, build_codec
from law_rl.compression.patches import PatchDataset, gradient_energy
from law_rl.compression.rd_cost import RDCost, rd_cost
from law_rl.compression.rd_learner import CHUNK, RDLearner, RDLearnerConfig, joined
from law_rl.counters import torch_generator

NETWORK = CodecConfig(width=16, latents=24)


@dataclass(frozen=True, kw_only=True)
class CodecLearnerConfig(RDLearnerConfig):
    """As any codec's training, with the image codec's network."""

    network: CodecConfig = NETWORK

    def learner(self, dataset: PatchDataset, seed: int) -> "CodecLearner":
        """A fresh learner that is trained so, without a teacher."""
        return CodecLearner(self, dataset, seed)


class CodecLearner(RDLearner):
    """Trains an image codec; the samples are patches."""

    config: CodecLearnerConfig
    dataset: PatchDataset
    network: CodecNetwork

    def __init__(self, config: CodecLearnerConfig, dataset: PatchDataset, seed: int) -> None:
        super().__init__(config, dataset, seed)
        self._energy = gradient_energy(self.dataset.train)

    def _build_network(self) -> CodecNetwork:
        config = self.config
        return build_codec(config.network, self.seed, config.device, lambda_=config.lambda_)

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

    @torch.no_grad()
    def _rounded(self, data: torch.Tensor) -> RDCost:
        """The costs of patches uint8 [N, 3, S, S], chunk by chunk."""
        self.network.eval()
        parts = []
        for chunk in torch.split(data, CHUNK):
            images = pixels(chunk)
            with self._autocast():
                output = self.network(images, None)
            parts.append(rd_cost(images, output, self.config.lambda_))
        return joined(parts)

    def fork(self) -> "CodecLearner":
        """A second learner in the same state, sharing the data."""
        twin = CodecLearner(self.config, self.dataset, self.seed)
        twin.restore(self.snapshot())
        return twin


def pixels(patches: torch.Tensor) -> torch.Tensor:
    """Patches uint8 as float32 in 0..1."""
    return patches.float() / 255.0
