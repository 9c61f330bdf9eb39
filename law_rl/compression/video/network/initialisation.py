"""Starting values of flow and compensation: functions of the seed alone."""

import torch

from law_rl.compression.network.initialisation import convolutions, draw_kaiming
from law_rl.compression.video.network.compensation import Compensation, PreActivation
from law_rl.compression.video.network.flow import FlowNetwork


@torch.no_grad()
def set_flow(flow: FlowNetwork, seed: int) -> None:
    """Kaiming-normal layers, but for the last of each level, which says that nothing moves."""
    for number, level in enumerate(flow.levels):
        for index, layer in enumerate(convolutions(level)[:-1]):
            draw_kaiming(layer, seed, "flow", number, index)


@torch.no_grad()
def set_compensation(compensation: Compensation, seed: int) -> None:
    """Kaiming-normal layers; residual blocks start small, and the last layer at 0, so that nothing is mended."""
    for index, layer in enumerate(convolutions(compensation)[:-1]):
        draw_kaiming(layer, seed, "compensation", index)
    for block in compensation.modules():
        if isinstance(block, PreActivation):
            convolutions(block)[-1].weight.mul_(0.1)
