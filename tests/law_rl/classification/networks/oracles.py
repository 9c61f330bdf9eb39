"""Layers by their definitions, and networks by name, for the tests of the networks."""

import torch
from torch import Tensor, nn

from law_rl.classification.networks import Classifier, NetworkConfig, NetworkName, build_network
from law_rl.classification.networks.layers import Conv2d
from law_rl.counters import torch_generator

CIFAR = (3, 32, 32)


def build(
    name: NetworkName,
    seed: int = 0,
    image_shape: tuple[int, int, int] = CIFAR,
    classes: int = 10,
    embedding: int = 0,
) -> Classifier:
    config = NetworkConfig(name=name, width=8 if name in ("mlp", "cnn", "face_cnn") else 128, embedding=embedding)
    return build_network(config, image_shape=image_shape, classes=classes, seed=seed)


def images(count: int, image_shape: tuple[int, int, int] = CIFAR) -> Tensor:
    return torch.randn(count, *image_shape, generator=torch.Generator().manual_seed(7))


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolution_and_norm(inputs: int, outputs: int, size: int) -> int:
    """The parameters of a convolution and its normalisation."""
    return inputs * outputs * size**2 + 2 * outputs


def draw(block: nn.Module) -> None:
    for index, parameter in enumerate(block.parameters()):
        nn.init.normal_(parameter, generator=torch_generator(1, "test", index))


def normalise(features: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    centred = features - features.mean((0, 2, 3), keepdim=True)
    scaled = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


def prelu(features: Tensor, slope: Tensor) -> Tensor:
    return torch.where(features > 0, features, features * slope[:, None, None])


def convolve(features: Tensor, layer: Conv2d, stride: int = 1) -> Tensor:
    """A convolution as an explicit sum over kernel positions; channels of different groups are joined by zeros."""
    size, outputs = layer.weight.shape[-1], layer.weight.shape[0]
    weight = layer.weight.new_zeros(outputs, features.shape[1], size, size)
    per_group, width = outputs // layer.groups, layer.weight.shape[1]
    for output in range(outputs):
        first = output // per_group * width
        weight[output, first : first + width] = layer.weight[output]
    padded = nn.functional.pad(features, (size // 2,) * 4)
    rows, columns = features.shape[2:]
    out = torch.zeros(1, dtype=features.dtype)
    for row in range(size):
        for column in range(size):
            window = padded[:, :, row : row + rows : stride, column : column + columns : stride]
            out = out + torch.einsum("nihw,oi->nohw", window, weight[:, :, row, column])
    return out
