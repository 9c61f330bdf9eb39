"""MobileNetV2 of Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (1801.04381)."""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from law_rl.classification.networks.layers import Body, Conv2d, GlobalAveragePool, large_images

Activation = Callable[[int], nn.Module]
"""The activation after a convolution of so many channels."""


def relu6(channels: int) -> nn.Module:
    """ReLU6, for any number of channels."""
    return nn.ReLU6(inplace=True)


class InvertedResidual(nn.Module):
    """A 1x1 convolution to `expansion` times the channels, a depthwise 3x3 one and a linear 1x1 one (table 1).

    At expansion 1 there is no first convolution. The input is added where the shape stays the same.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, activation: Activation = relu6) -> None:
        super().__init__()
        hidden = expansion * inputs
        self.layers = convolution(inputs, hidden, 1, activation=activation) if expansion > 1 else nn.Sequential()
        self.layers.extend(convolution(hidden, hidden, 3, stride, groups=hidden, activation=activation))
        self.layers.extend([Conv2d(hidden, outputs, 1), nn.BatchNorm2d(outputs)])
        self.residual = inputs == outputs and stride == 1

    def forward(self, features: Tensor) -> Tensor:
        out = cast(Tensor, self.layers(features))
        return out + features if self.residual else out


def mobilenetv2_half(image_shape: tuple[int, int, int]) -> Body:
    """MobileNetV2 with width multiplier 0.5 and expansion 6: table 2 with halved channels, but 1280 last; no dropout.

    For `large_images` channels are multiples of 8, as in the authors' code, so that 12 become 16. Below, our reading
    of RCO's network for CIFAR (arXiv 1904.09149): 12 stay 12, and that stage keeps the resolution; the stem halves it
    at any size.
    """
    second = (6, 16, 2, 2) if large_images(image_shape) else (6, 12, 2, 1)
    stages = ((1, 8, 1, 1), second, (6, 16, 3, 2), (6, 32, 4, 2), (6, 48, 3, 1), (6, 80, 3, 2), (6, 160, 1, 1))
    body = convolution(image_shape[0], 16, 3, stride=2)
    inputs = 16
    for expansion, outputs, blocks, stride in stages:
        for block in range(blocks):
            body.append(InvertedResidual(inputs, outputs, stride if block == 0 else 1, expansion))
            inputs = outputs
    return body.extend(convolution(inputs, 1280, 1)).append(GlobalAveragePool()), 1280


def convolution(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, *, activation: Activation = relu6
) -> nn.Sequential:
    """A convolution, batch normalisation and an activation."""
    return nn.Sequential(Conv2d(inputs, outputs, size, stride, groups), nn.BatchNorm2d(outputs), activation(outputs))
