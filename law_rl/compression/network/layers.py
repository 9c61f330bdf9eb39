"""Convolutions that start at zero, so that building a network reads no random generator; `initialise` draws values."""

from torch import nn


class Conv2d(nn.Conv2d):
    """A convolution of `size` pixels a side with bias, padded so that stride 1 keeps the image size."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, padding=size // 2)

    def reset_parameters(self) -> None:
        """Sets zeros, unlike the base class, which reads the global generator."""
        _set_zero(self)


class Upsampling(nn.ConvTranspose2d):
    """A transposed convolution of `size` pixels a side and stride 2 with bias: [B, inputs, h, w] -> [B, outputs, 2h,
    2w]."""

    def __init__(self, inputs: int, outputs: int, size: int = 5) -> None:
        super().__init__(inputs, outputs, size, 2, padding=size // 2, output_padding=1)

    def reset_parameters(self) -> None:
        """Sets zeros, unlike the base class, which reads the global generator."""
        _set_zero(self)


def _set_zero(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
