"""The layers of IDA's networks, and how they start."""

import math

import torch
from torch import nn

from law_rl.classification.networks.layers import Linear
from law_rl.counters import torch_generator

SLOPE = 0.2
"""Of the leaky rectifiers."""


class Halving(nn.Conv2d):
    """A convolution from maps of even side to maps of half the side; its values are left to `draw_weights`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)

    def reset_parameters(self) -> None:
        """Draws nothing, unlike the base class, which reads the global generator."""


class Doubling(nn.ConvTranspose2d):
    """A transposed convolution to maps of twice the side; its values are left to `draw_weights`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)

    def reset_parameters(self) -> None:
        """Draws nothing, unlike the base class, which reads the global generator."""


@torch.no_grad()
def draw_weights(network: nn.Module, seed: int, purpose: str) -> None:
    """Draws the weights of layer i from N(0, 2 / ((1 + SLOPE^2) F)) by (seed, purpose, i); biases become 0.

    F is how many inputs an output has: of a doubled map 2 x 2 places. Source: He et al., arXiv 1502.01852, section 2.2.
    """
    layers = (module for module in network.modules() if isinstance(module, (Linear, Halving, Doubling)))
    for index, layer in enumerate(layers):
        deviation = math.sqrt(2 / ((1 + SLOPE**2) * _fan(layer)))
        layer.weight.normal_(0, deviation, generator=torch_generator(seed, purpose, index))
        if layer.bias is not None:
            layer.bias.zero_()


def _fan(layer: Linear | Halving | Doubling) -> int:
    if isinstance(layer, Linear):
        return layer.in_features
    return layer.in_channels * (16 if isinstance(layer, Halving) else 4)
