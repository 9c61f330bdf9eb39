"""Faces from noise: what a generator must offer, and a compact one of our own."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.classification.networks.layers import Linear
from law_rl.face.ida.layers import SLOPE, Doubling, draw_weights

_DOUBLINGS = 3


class Generator(Protocol):
    """Whatever maps noise float32 [N, noise_width], standard normal and on the CPU, to images [N, C, S, S], any device.

    Images are uint8, or floating with values in [0, 255]. One of other training fits when it is wrapped so: for
    StyleGAN2, whose images lie in [-1, 1], `__call__` returns 127.5 * (network(noise, labels) + 1).
    """

    @property
    def noise_width(self) -> int: ...

    def __call__(self, noise: Tensor) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """The images' side in pixels and channels, the entries of the noise, and the channels of the largest inner map.

    Smaller maps have twice and four times as many. The discriminator mirrors them.
    """

    size: int = 48
    channels: Literal[1, 3] = 1
    noise_width: int = 64
    width: int = 16

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 64 or self.size % 2**_DOUBLINGS:
            raise ValueError(f"size is {self.size}: give a side of 16, 24, 32, 40, 48, 56 or 64 pixels")
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}: give 1 for grey or 3 for RGB")
        if self.noise_width < 1:
            raise ValueError(f"noise_width is {self.noise_width}: give at least 1 entry (64 is usual here)")
        if self.width < 1:
            raise ValueError(f"width is {self.width}: give at least 1 channel (16 is usual here)")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, S, S)."""
        return self.channels, self.size, self.size

    @property
    def base(self) -> int:
        """The side of the smallest map."""
        return int(self.size // 2**_DOUBLINGS)


class FaceGenerator(nn.Module):
    """A linear layer to a map of an eighth of the side, and three transposed convolutions of stride 2.

    Each but the last is followed by a leaky rectifier, and each position's channels are brought to a mean square of 1.
    No statistics over the batch: an image depends on its own noise alone. Called with noise [N, Z], it gives float32
    [N, C, S, S] in [0, 255]. Source: DCGAN (arXiv 1511.06434); pixel normalisation from 1710.10196.
    """

    def __init__(self, config: GeneratorConfig, *, seed: int) -> None:
        super().__init__()
        self.noise_width = config.noise_width
        width, base = config.width, config.base
        self.start = 4 * width, base, base
        self.first = Linear(config.noise_width, 4 * width * base**2)
        self.layers = nn.ModuleList(
            [Doubling(4 * width, 2 * width), Doubling(2 * width, width), Doubling(width, config.channels)]
        )
        draw_weights(self, seed, "generator")

    def forward(self, noise: Tensor) -> Tensor:
        return 127.5 * (self.pixels(noise) + 1.0)

    def pixels(self, noise: Tensor) -> Tensor:
        """The images in [-1, 1]."""
        maps = self.first(noise.to(self.first.weight)).view(-1, *self.start)
        for layer in self.layers:
            maps = layer(_level(functional.leaky_relu(maps, SLOPE)))
        return torch.tanh(maps)


def _level(maps: Tensor) -> Tensor:
    """Maps [N, C, H, W] with the C entries of each position divided by their root mean square."""
    return maps * (maps.square().mean(1, keepdim=True) + 1e-8).rsqrt()
