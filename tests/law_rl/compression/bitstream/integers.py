"""Layers in Python's integers, which the exact twins are compared with."""

from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Integers = NDArray[Any]


def units(values: Tensor) -> Integers:
    """Multiples of 2^-12 as whole numbers of them; fails for others."""
    scaled = values.double() * 2**12
    assert (scaled == scaled.floor()).all()
    return np.array([int(value) for value in scaled.flatten().tolist()], object).reshape(tuple(values.shape))


def grid_values(shape: tuple[int, ...], generator: torch.Generator, reach: int = 1 << 14) -> Tensor:
    """Multiples of 2^-12, up to `reach` of them, some in the middle between coarser ones."""
    return torch.randint(-reach, reach + 1, shape, generator=generator).double() * 2.0**-12


def convolved(layer: nn.Conv2d | nn.ConvTranspose2d, values: Integers) -> Integers:
    """A convolution of [C, H, W] tap by tap: whole weights of 2^16, bias of 2^28."""
    weight = np.array([round(w * 2**16) for w in layer.weight.detach().double().flatten().tolist()], object)
    weight = weight.reshape(tuple(layer.weight.shape))
    biases = [0.0] * layer.out_channels if layer.bias is None else layer.bias.detach().double().tolist()
    bias = np.array([round(b * 2**28) for b in biases], object)
    (down, across), (above, beside) = layer.kernel_size, (int(size) for size in layer.padding)
    _, height, width = values.shape
    if isinstance(layer, nn.ConvTranspose2d):
        (rows, columns), (below, right) = layer.stride, layer.output_padding
        size = (rows * (height - 1) + down + below, columns * (width - 1) + across + right)
        full = np.zeros((layer.out_channels, *size), object)
        for i, j in product(range(height), range(width)):
            reached = slice(rows * i, rows * i + down), slice(columns * j, columns * j + across)
            full[:, *reached] += np.tensordot(values[:, i, j], weight, 1)
        sums = full[:, above : size[0] - above, beside : size[1] - beside]
    else:
        padded = np.pad(values, ((0, 0), (above, above), (beside, beside)), constant_values=0)
        sums = np.zeros((layer.out_channels, padded.shape[1] - down + 1, padded.shape[2] - across + 1), object)
        for i, j in product(range(down), range(across)):
            taken = padded[:, i : i + sums.shape[1], j : j + sums.shape[2]]
            sums += np.tensordot(weight[:, :, i, j], taken, 1)
    return sums + bias[:, None, None]
