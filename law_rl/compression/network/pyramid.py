"""Where the transforms start: a pyramid of optimal linear transforms, which already is a codec.

A random start spends thousands of steps on learning that neighbours are alike. Ours takes a model of the signal (of
photographs: pixels correlated by 0.95 with their neighbours in each direction and between colours), and gives each
layer the Karhunen-Loeve transform of the 2 x 2 blocks of the layer below. Between layers the coefficients are rotated
at random, so that no channel is special; the last layer is not, so that its channels are uncorrelated and sorted by
their spread. Synthesis is the transpose. Own construction; the transform coding behind it is text-book (Goyal,
"Theoretical foundations of transform coding", 2001).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from law_rl.counters import torch_generator


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What is to be coded, as a random field: the correlation of neighbours in each direction (`along`) and of channels
    (`across`), the standard deviation of its values and the value that they lie around.
    """

    channels: int
    along: float
    across: float
    spread: float
    centre: float


PHOTOGRAPHS = Signal(channels=3, along=0.95, across=0.95, spread=0.25, centre=0.5)


@dataclass(frozen=True)
class Pyramid:
    """`layers`: float64 [outputs, 4 * inputs], the columns sorted by (row, column, input) in the 2 x 2 block;
    `spreads`: float64 [M], the standard deviations of the last layer's channels on the signal."""

    layers: list[Tensor]
    spreads: Tensor


def pyramid(width: int, latents: int, seed: int, signal: Signal = PHOTOGRAPHS) -> Pyramid:
    """The transform of four layers, channels -> width -> width -> width -> latents, rotated at random by `seed`."""
    basis = torch.eye(signal.channels, dtype=torch.float64)[:, :, None, None]
    layers = []
    for layer, outputs in enumerate((width, width, width, latents)):
        blocks = _quadrants(basis)
        values, vectors = torch.linalg.eigh(_covariance(blocks, signal))
        kept = min(outputs, len(values))
        transform = torch.zeros(outputs, len(values), dtype=torch.float64)
        transform[:kept] = vectors.flip(1)[:, :kept].T
        if layer < 3:
            generator = torch_generator(seed, "pyramid", layer)
            mixing = torch.linalg.qr(torch.randn(outputs, outputs, generator=generator, dtype=torch.float64))[0]
            transform = mixing @ transform
        layers.append(transform)
        basis = torch.einsum("oi,icyx->ocyx", transform, blocks)
    spreads = torch.zeros(latents, dtype=torch.float64)
    spreads[:kept] = values.flip(0)[:kept].clamp_min(0).sqrt()
    return Pyramid(layers, spreads)


def _quadrants(basis: Tensor) -> Tensor:
    """Features [C, c, s, s] of a block as features [4 C, c, 2s, 2s] of the four quarters of a block twice as large."""
    channels, colours, size, _ = basis.shape
    blocks = basis.new_zeros(2, 2, channels, colours, 2 * size, 2 * size)
    for row in (0, 1):
        for column in (0, 1):
            ys, xs = slice(row * size, (row + 1) * size), slice(column * size, (column + 1) * size)
            blocks[row, column, :, :, ys, xs] = basis
    return blocks.flatten(0, 2)


def _covariance(features: Tensor, signal: Signal) -> Tensor:
    """The covariance [C, C] of features [C, c, s, s] under the model of the signal."""
    places = torch.arange(features.shape[-1], dtype=torch.float64)
    along = signal.along ** (places[:, None] - places[None, :]).abs()
    across = torch.full((signal.channels, signal.channels), signal.across, dtype=torch.float64).fill_diagonal_(1.0)
    mixed = torch.einsum("icyx,cd,yu,xv->iduv", features, across * signal.spread**2, along, along)
    return torch.einsum("iduv,jduv->ij", mixed, features)
