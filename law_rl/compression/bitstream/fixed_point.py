"""The hyper-decoder in whole numbers: the parameters of y's probabilities come out alike on every machine.

Weights are rounded to multiples of 2^-16 and activations to multiples of 2^-12, cut to +-1024, all held in float64.
Every sum stays below 2^52, which is checked, so it is exact in whatever order it is taken.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.bitstream.tables import LEVELS, PHASES

WEIGHT_BITS, ACTIVATION_BITS, LIMIT = 16, 12, 1 << 22
LARGEST_HYPER_LATENT = LIMIT >> ACTIVATION_BITS
"""The largest magnitude of a symbol of z, 1024."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerParameters:
    """Parameters of the K Gaussians of each of y's entries, all [K, n] with n = M h w in y's order.

    `levels` uint8: of the scale, 0 to 63; `means` int32 in sixteenths; `logits` int32 in sixteenths, what the weights
    are the softmax of.
    """

    levels: NDArray[np.uint8]
    means: NDArray[np.int32]
    logits: NDArray[np.int32]

    def of(self, part: slice) -> "IntegerParameters":
        """Those of some of the entries."""
        return IntegerParameters(levels=self.levels[:, part], means=self.means[:, part], logits=self.logits[:, part])

    def crc(self) -> int:
        """The CRC32 of all of them."""
        crc = zlib.crc32(self.levels.tobytes())
        return zlib.crc32(self.logits.astype("<i4").tobytes(), zlib.crc32(self.means.astype("<i4").tobytes(), crc))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """A convolution of whole numbers, then perhaps a ReLU."""

    weight: Tensor
    bias: Tensor
    convolution: dict[str, Any]
    transposed: bool
    relu: bool

    def __call__(self, values: Tensor) -> Tensor:
        apply = functional.conv_transpose2d if self.transposed else functional.conv2d
        sums = apply(values, self.weight, self.bias, **self.convolution)
        rounded = sums.mul_(2.0**-WEIGHT_BITS).add_(0.5).floor_()
        return rounded.clamp_(0 if self.relu else -LIMIT, LIMIT)


class FixedPointDecoder:
    """A hyper-decoder (nn.Sequential of Conv2d, ConvTranspose2d and ReLU) with K = `components`, in whole numbers.

    Runs on the CPU. Raises ValueError for other layers, and for weights that are not finite or so large that sums would
    not be exact.
    """

    def __init__(self, hyper_decoder: nn.Sequential, components: int) -> None:
        self._layers = _layers(hyper_decoder)
        self._components = components

    @torch.inference_mode()
    def __call__(self, hyper_latents: NDArray[np.int32]) -> IntegerParameters:
        """The parameters for symbols of z [N, h, w], magnitudes up to 1024: those of M x 4h x 4w entries of y."""
        values = torch.from_numpy(hyper_latents).double()[None] * 2.0**ACTIVATION_BITS
        with torch.autocast("cpu", enabled=False):
            for layer in self._layers:
                values = layer(values)
        raw = values[0].mul_(2.0**-ACTIVATION_BITS).reshape(-1, self._components, values[0].numel() // self._groups)
        levels = raw[0].add(0.5).floor_().clamp_(0, LEVELS - 1).to(torch.uint8)
        fine = raw[1:].mul_(PHASES).add_(0.5).floor_().to(torch.int32).numpy()
        logits = fine[1] if self._components > 1 else np.zeros_like(fine[0])
        return IntegerParameters(levels=levels.numpy(), means=fine[0], logits=logits)

    @property
    def _groups(self) -> int:
        """How many groups of M channels the network gives: scales, means, and weights unless there is one Gaussian."""
        return 3 * self._components if self._components > 1 else 2


def _layers(hyper_decoder: nn.Sequential) -> list[_Layer]:
    modules = list(hyper_decoder)
    layers = []
    for module, following in zip(modules, [*modules[1:], None], strict=True):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            layers.append(_layer(module, relu=isinstance(following, nn.ReLU)))
        elif not isinstance(module, nn.ReLU):
            raise ValueError(f"the hyper-decoder has a {type(module).__name__}: use Conv2d, ConvTranspose2d and ReLU")
    return layers


def _layer(module: nn.Conv2d | nn.ConvTranspose2d, *, relu: bool) -> _Layer:
    weight = (module.weight.detach().cpu().double() * 2.0**WEIGHT_BITS).round()
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias.detach().cpu()
    bias = (bias.double() * 2.0 ** (WEIGHT_BITS + ACTIVATION_BITS)).round()
    transposed = isinstance(module, nn.ConvTranspose2d)
    largest = weight.abs().sum((0, 2, 3) if transposed else (1, 2, 3)) * LIMIT + bias.abs()
    if not (largest < 2.0**52).all():
        raise ValueError("a weight of the hyper-decoder is not finite or too large for exact sums: train it anew")
    if module.groups != 1 or module.padding_mode != "zeros":
        raise ValueError(
            "the hyper-decoder has a convolution in groups or with other padding than zeros: use plain ones"
        )
    convolution: dict[str, Any] = {"stride": module.stride, "padding": module.padding, "dilation": module.dilation}
    if isinstance(module, nn.ConvTranspose2d):
        convolution["output_padding"] = module.output_padding
    return _Layer(weight=weight, bias=bias, convolution=convolution, transposed=transposed, relu=relu)
