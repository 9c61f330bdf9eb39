"""Residual networks of He et al., "Deep Residual Learning for Image Recognition" (1512.03385)."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from law_rl.classification.networks.layers import Body, Conv2d, GlobalAveragePool, large_images


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
            self.shortcut = _projection(inputs, outputs, stride)
        elif inputs != outputs:
            self.shortcut = PaddedShortcut(outputs - inputs, stride)

    def forward(self, features: Tensor) -> Tensor:
        hidden = F.relu_(self.norm1(self.conv1(features)))
        return F.relu_(cast(Tensor, self.norm2(self.conv2(hidden)) + self.shortcut(features)))


class BottleneckBlock(nn.Module):
    """Convolutions of 1x1 to `width` channels, 3x3 among them and 1x1 to 4 `width`, around a shortcut.

    The shortcut is a projection where the number of channels changes, else the identity. The stride is that of the 3x3
    convolution, as is usual since the paper, which has it in the first.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = Conv2d(inputs, width, 1)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, stride)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = Conv2d(width, outputs, 1)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if inputs == outputs else _projection(inputs, outputs, stride)

    def forward(self, features: Tensor) -> Tensor:
        hidden = F.relu_(self.norm1(self.conv1(features)))
        hidden = F.relu_(self.norm2(self.conv2(hidden)))
        return F.relu_(cast(Tensor, self.norm3(self.conv3(hidden)) + self.shortcut(features)))


def cifar_resnet(channels: int, *, blocks: int) -> Body:
    """The network of section 4.2 with 6 `blocks` + 2 layers: 16, 32 and 64 channels, shortcuts without parameters."""
    body = nn.Sequential(Conv2d(channels, 16, 3), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
    body.extend(_blocks((16, 32, 64), blocks, project=False))
    return body.append(GlobalAveragePool()), 64


def resnet18(image_shape: tuple[int, int, int]) -> Body:
    """ResNet-18 with projection shortcuts (option B)."""
    body = _stem(image_shape).extend(_blocks((64, 128, 256, 512), 2, project=True))
    return body.append(GlobalAveragePool()), 512


def resnet50(image_shape: tuple[int, int, int]) -> Body:
    """ResNet-50: bottleneck blocks, 3, 4, 6 and 3 of a width, with projection shortcuts (option B)."""
    body = _stem(image_shape)
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            body.append(BottleneckBlock(inputs, width, 2 if block == 0 and width > 64 else 1))
            inputs = 4 * width
    return body.append(GlobalAveragePool()), inputs


def _stem(image_shape: tuple[int, int, int]) -> nn.Sequential:
    """The first layers, up to 64 channels.

    ImageNet's (7x7 with stride 2, then max pooling) for `large_images`; below, one 3x3 convolution at full resolution,
    as is usual on CIFAR.
    """
    channels, large = image_shape[0], large_images(image_shape)
    stem = Conv2d(channels, 64, 7, stride=2) if large else Conv2d(channels, 64, 3)
    body = nn.Sequential(stem, nn.BatchNorm2d(64), nn.ReLU(inplace=True))
    if large:
        body.append(nn.MaxPool2d(3, stride=2, padding=1))
    return body


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Conv2d(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


def _blocks(widths: tuple[int, ...], blocks: int, *, project: bool) -> list[BasicBlock]:
    """`blocks` blocks of each width; from the second width on, the first of them halves the image."""
    inputs = widths[0]
    sequence = []
    for outputs in widths:
        for _ in range(blocks):
            sequence.append(BasicBlock(inputs, outputs, 1 if inputs == outputs else 2, project=project))
            inputs = outputs
    return sequence
