"""The training of an image codec: crops of photographs, and the rate-distortion cost."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork, build_codec
from law_rl.compression.photographs import DRAWS, Photographs
from law_rl.compression.rd_cost import RDCost, rd_cost
from law_rl.compression.training import Training
from law_rl.compression.training_config import TrainingConfig


class PhotographObjective:
    """The cost of crops at `config.lambda_`, see `training_step.Objective`."""

    draws, steady = DRAWS, True

    def __init__(self, photographs: Photographs, config: TrainingConfig) -> None:
        self.device, self.content_hash = photographs.device, photographs.content_hash
        self._photographs, self._distortion = photographs, config.distortion
        self._lambda = torch.tensor(config.lambda_, device=self.device)

    def cost(self, network: CodecNetwork, draws: Tensor, noise: torch.Generator, progress: float) -> RDCost:
        """The costs [B] of the crops that draws [B, 5] choose."""
        images = self._photographs.crops(draws)
        output = network(images, noise)
        with torch.autocast(self.device.type, enabled=False):
            return rd_cost(images, output, self._lambda, self._distortion)

    def state(self) -> Mapping[str, Tensor]:
        """Nothing: crops depend on the draws alone."""
        return {}


def codec_training(
    codec: CodecConfig, config: TrainingConfig, photographs: Photographs, checkpoint: Path | None = None
) -> Training[CodecNetwork]:
    """The training of a fresh codec on the device of the photographs, see `Training`."""
    network = build_codec(codec, config.seed, photographs.device, lambda_=config.lambda_)
    return Training(network, PhotographObjective(photographs, config), config, {"codec": asdict(codec)}, checkpoint)
