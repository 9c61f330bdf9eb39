"""Residual networks for faces as in ArcFace (arXiv 1801.07698, section 3.1) and its authors' insightface."""

from typing import cast

import torch
from torch import Tensor, nn

from law_rl.classification.networks.layers import Body, Conv2d, Linear, halved

DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""The blocks of each stage, by the number of layers."""


class ShiftedNorm(nn.BatchNorm1d):
    """Batch normalisation of embeddings [N, D] with a learned shift and no learned scale."""

    def __init__(self, width: int) -> None:
        super().__init__(width, affine=False)
        self.bias = nn.Parameter(torch.zeros(width))


class IBasicBlock(nn.Module):
    """Normalise, 3x3 convolution, normalise, PReLU, 3x3 convolution with the stride, normalise; around a shortcut.

    The shortcut is a normalised 1x1 convolution in the first block of a stage, whose stride is 2, else the identity. No
    activation follows the sum.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = Conv2d(inputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.activation = nn.PReLU(outputs)
        self.conv2 = Conv2d(outputs, outputs, 3, stride)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.activation(self.norm2(self.conv1(self.norm1(features))))
        return cast(Tensor, self.norm3(self.conv2(hidden)) + self.shortcut(features))


def iresnet(image_shape: tuple[int, int, int], *, layers: int, embedding: int) -> Body:
    """IResNet-18, -50 or -100: `DEPTHS` blocks in stages of 64, 128, 256 and 512 channels, each halving the image.

    Then the whole map, normalised, goes through a linear layer to `embedding` numbers and a `ShiftedNorm`. The linear
    layer has no bias, unlike insightface's: the normalisation after it would take it away. Nor is there a dropout
    layer, which insightface has before it and leaves off.
    """
    body = nn.Sequential(Conv2d(image_shape[0], 64, 3), nn.BatchNorm2d(64), nn.PReLU(64))
    inputs = 64
    for outputs, blocks in zip((64, 128, 256, 512), DEPTHS[layers], strict=True):
        for block in range(blocks):
            body.append(IBasicBlock(inputs, outputs, 2 if block == 0 else 1))
            inputs = outputs
    height, width = halved(image_shape[1:], 4)
    body.extend([nn.BatchNorm2d(512), nn.Flatten(), Linear(512 * height * width, embedding, bias=False)])
    return body.append(ShiftedNorm(embedding)), embedding
