"""Residual networks of He et al., "Deep Residual Learning for Image Recognition" (1512.03385)."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from law_rl.classification.networks.layers import Classifier, Conv2d, GlobalAveragePool, Linear

IMAGENET_STEM_FROM = 64  # pixels of the shorter side


class PaddedShortcut(nn.Module):
    """The shortcut without parameters (option A of section 4.1): every stride-th pixel, new channels zero."""

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        return F.pad(features[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is the identity where the shape stays the same."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, project: bool) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = Conv2d(outputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs and project:
            self.shortcut = nn.Sequential(Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        elif inputs != outputs:
            self.shortcut = PaddedShortcut(outputs - inputs, stride)

    def forward(self, features: Tensor) -> Tensor:
        hidden = F.relu_(self.norm1(self.conv1(features)))
        return F.relu_(cast(Tensor, self.norm2(self.conv2(hidden)) + self.shortcut(features)))


def cifar_resnet(channels: int, classes: int, *, blocks: int) -> Classifier:
    """The network of section 4.2 with 6 `blocks` + 2 layers: 16, 32 and 64 channels, shortcuts without parameters."""
    body = nn.Sequential(Conv2d(channels, 16, 3), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
    body.extend(_blocks((16, 32, 64), blocks, project=False))
    return Classifier(body.append(GlobalAveragePool()), Linear(64, classes))


def resnet18(image_shape: tuple[int, int, int], classes: int) -> Classifier:
    """ResNet-18 with projection shortcuts (option B).

    Where the shorter side has at least 64 pixels, the stem is ImageNet's (7x7 with stride 2, then max pooling); below,
    it is one 3x3 convolution at full resolution, as is usual on CIFAR.
    """
    channels, height, width = image_shape
    large = min(height, width) >= IMAGENET_STEM_FROM
    stem = Conv2d(channels, 64, 7, stride=2) if large else Conv2d(channels, 64, 3)
    body = nn.Sequential(stem, nn.BatchNorm2d(64), nn.ReLU(inplace=True))
    if large:
        body.append(nn.MaxPool2d(3, stride=2, padding=1))
    body.extend(_blocks((64, 128, 256, 512), 2, project=True))
    return Classifier(body.append(GlobalAveragePool()), Linear(512, classes))


def _blocks(widths: tuple[int, ...], blocks: int, *, project: bool) -> list[BasicBlock]:
    """`blocks` blocks of each width; from the second width on, the first of them halves the image."""
    inputs = widths[0]
    sequence = []
    for outputs in widths:
        for _ in range(blocks):
            sequence.append(BasicBlock(inputs, outputs, 1 if inputs == outputs else 2, project=project))
            inputs = outputs
    return sequence
