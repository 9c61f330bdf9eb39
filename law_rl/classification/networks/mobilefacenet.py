"""MobileFaceNet of Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile
Devices" (1804.07573)."""

from torch import nn

from law_rl.classification.networks.layers import Body, GlobalDepthwise, Linear, halved
from law_rl.classification.networks.mobilenet import InvertedResidual, convolution

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, blocks and first stride of the bottlenecks, from table 1."""


def mobilefacenet(image_shape: tuple[int, int, int], *, embedding: int) -> Body:
    """The network of table 1 for images of any size, with PReLU; its last layer has `embedding` outputs (there 128).

    The stem and the bottlenecks halve the image four times; a convolution to 512 channels and a global depthwise one
    follow, then a linear layer and batch normalisation.
    """
    body = convolution(image_shape[0], 64, 3, stride=2, activation=nn.PReLU)
    body.extend(convolution(64, 64, 3, groups=64, activation=nn.PReLU))
    inputs = 64
    for expansion, outputs, blocks, stride in STAGES:
        for block in range(blocks):
            first = stride if block == 0 else 1
            body.append(InvertedResidual(inputs, outputs, first, expansion, activation=nn.PReLU))
            inputs = outputs
    body.extend(convolution(inputs, 512, 1, activation=nn.PReLU))
    body.append(GlobalDepthwise(512, halved(image_shape[1:], 4)))
    return body.extend([Linear(512, embedding, bias=False), nn.BatchNorm1d(embedding)]), embedding
