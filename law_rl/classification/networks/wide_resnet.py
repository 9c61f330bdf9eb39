"""Wide residual networks of Zagoruyko and Komodakis (1605.07146)."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from law_rl.classification.networks.layers import Body, Conv2d, CounterDropout, GlobalAveragePool


class PreActivationBlock(nn.Module):
    """Normalise, activate, convolve, twice, with dropout between the convolutions.

    Where the number of channels changes, the shortcut is a 1x1 convolution of the activated input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = Conv2d(inputs, outputs, 3, stride)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.dropout: nn.Module = CounterDropout(dropout) if dropout else nn.Identity()
        self.conv2 = Conv2d(outputs, outputs, 3)
        self.shortcut = None if inputs == outputs else Conv2d(inputs, outputs, 1, stride)

    def forward(self, features: Tensor) -> Tensor:
        active = F.relu_(self.norm1(features))
        hidden = self.dropout(F.relu_(self.norm2(self.conv1(active))))
        shortcut = features if self.shortcut is None else self.shortcut(active)
        return cast(Tensor, self.conv2(hidden) + shortcut)


def wide_resnet(channels: int, *, blocks: int, widen: int, dropout: float) -> Body:
    """WRN-(6 `blocks` + 4)-`widen`: three groups of 16, 32 and 64 times `widen` channels; takes images of any size."""
    body = nn.Sequential(Conv2d(channels, 16, 3))
    inputs = 16
    for outputs, stride in ((16 * widen, 1), (32 * widen, 2), (64 * widen, 2)):
        for block in range(blocks):
            body.append(PreActivationBlock(inputs, outputs, stride if block == 0 else 1, dropout))
            inputs = outputs
    body.extend([nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), GlobalAveragePool()])
    return body, inputs
