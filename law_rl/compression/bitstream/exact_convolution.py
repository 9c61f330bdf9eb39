"""Convolutions whose sums are exact in whatever order they are taken."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from law_rl.compression.bitstream.grid import ACTIVATION_BITS, LIMIT, STEP

WEIGHT_BITS = 16
EXACT = 2.0**52
"""What sums stay below, in units of their last bit, so that float64 holds them and a half."""


class FixedConvolution(nn.Module):
    """The exact twin of a Conv2d of stride 1 or a ConvTranspose2d: [B, C, H, W] -> [B, O, ...], multiples of 2^-12.

    Inputs are cut to +-1024, weights rounded to 2^-16 and biases to 2^-28, the sum is rounded to 2^-12, halves up, and
    cut to +-1024. Each tap is a product of matrices over the whole picture, shifted: no algorithm of a library for
    convolutions comes in, whose sums might not be those of the products, and float64 is several times faster so.
    Raises ValueError for weights that are not finite or so large that sums would not be exact, and for other layers.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        _check_plain(layer)
        transposed = isinstance(layer, nn.ConvTranspose2d)
        weight = (layer.weight.detach().double() * 2.0**WEIGHT_BITS).round()
        weight = weight.permute(2, 3, 1, 0) if transposed else weight.permute(2, 3, 0, 1)
        bias = torch.zeros_like(weight[0, 0, :, 0]) if layer.bias is None else layer.bias.detach().double()
        bias = (bias * 2.0 ** (WEIGHT_BITS + ACTIVATION_BITS)).round()
        if not (weight.abs().sum((0, 1, 3)) * (LIMIT / STEP) + bias.abs() < EXACT).all():
            raise ValueError("a weight is not finite or too large for exact sums: train the model anew")
        self._axes = tuple(_Axis.of(layer, axis) for axis in (0, 1))
        self.register_buffer("weight", (weight * 2.0 ** (ACTIVATION_BITS - WEIGHT_BITS)).contiguous())
        self.register_buffer("bias", (bias * 2.0**-WEIGHT_BITS + 0.5)[:, None])

    def forward(self, values: Tensor) -> Tensor:
        down, across = self._axes
        batch, _, height, width = values.shape
        padded = values.new_zeros(values.shape[1], batch, down.padded(height), across.padded(width))
        inside = padded[:, :, down.before : down.before + height, across.before : across.before + width]
        torch.clamp(values.transpose(0, 1), -LIMIT, LIMIT, out=inside)
        result = values.new_empty(batch, len(self.bias), down.output(height), across.output(width))
        for y in range(down.stride):
            for x in range(across.stride):
                part = result[:, :, y :: down.stride, x :: across.stride]
                torch.clamp(self._phase(padded, y, x)[:, :, : part.shape[2], : part.shape[3]], -LIMIT, LIMIT, out=part)
        return result

    def _phase(self, padded: Tensor, y: int, x: int) -> Tensor:
        """One output of each stride x stride, rounded: [B, O, ...], with what lies beyond the picture to the right of
        and below it."""
        (down, across), positions = self._axes, padded[0].numel()
        width = padded.shape[3]
        flat = padded.reshape(len(padded), positions)
        sums = self.bias.repeat(1, positions)
        for i, row in down.taps(y):
            for j, column in across.taps(x):
                shift = row * width + column
                sums[:, : positions - shift].addmm_(self.weight[i, j], flat[:, shift:])
        return sums.floor_().mul_(STEP).view(-1, *padded.shape[1:]).transpose(0, 1)


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """How outputs lie over inputs along rows or columns: output stride * n + phase is the sum over taps of input
    n + offset. `offsets` and `phases` are the taps', `extra` what one input gives beyond `stride` outputs each."""

    stride: int
    phases: tuple[int, ...]
    offsets: tuple[int, ...]
    extra: int

    @classmethod
    def of(cls, layer: nn.Conv2d | nn.ConvTranspose2d, axis: int) -> Self:
        kernel, margin = layer.kernel_size[axis], int(layer.padding[axis])
        if isinstance(layer, nn.Conv2d):
            offsets = tuple(tap - margin for tap in range(kernel))
            return cls(stride=1, phases=(0,) * kernel, offsets=offsets, extra=2 * margin - kernel + 1)
        stride = layer.stride[axis]
        places = [divmod(tap - margin, stride) for tap in range(kernel)]
        return cls(
            stride=stride,
            phases=tuple(phase for _, phase in places),
            offsets=tuple(-ahead for ahead, _ in places),
            extra=kernel - 2 * margin + layer.output_padding[axis] - stride,
        )

    @property
    def before(self) -> int:
        """Zeros before the first input."""
        return max(0, -min(self.offsets))

    def output(self, size: int) -> int:
        return self.stride * size + self.extra

    def padded(self, size: int) -> int:
        """Inputs with the zeros around them, so that no tap of an output within the picture leaves them."""
        return self.before + max(size, -(-self.output(size) // self.stride) + max(self.offsets))

    def taps(self, phase: int) -> list[tuple[int, int]]:
        """The taps of a phase, each with its place in the padded inputs beside that of the output."""
        places = enumerate(zip(self.phases, self.offsets, strict=True))
        return [(tap, offset + self.before) for tap, (own, offset) in places if own == phase]


def _check_plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    if layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise ValueError("a convolution is in groups or has other padding than zeros: use plain ones")
    if any(step != 1 for step in layer.dilation) or (isinstance(layer, nn.Conv2d) and set(layer.stride) != {1}):
        raise ValueError("a convolution is dilated, or has a stride and is not transposed: use plain ones")
