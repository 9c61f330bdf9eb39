"""Starting values of the codec's parts: functions of the seed alone, that make a codec before the first step."""

import math

import torch
from torch import Tensor, nn

from law_rl.compression.network.attention import ChannelAttention
from law_rl.compression.network.enhancement import Enhancement, Residual
from law_rl.compression.network.factorised import FactorisedPrior
from law_rl.compression.network.hyper import HyperAnalysis, HyperDecoder
from law_rl.compression.network.layers import Conv2d, Upsampling
from law_rl.compression.network.mixture import level_of
from law_rl.compression.network.transforms import Analysis, Synthesis
from law_rl.counters import torch_generator

LEAST_SPREAD = 0.3
"""Channels are taken to vary by this much at least, in units of the latents."""

FAN = 8.0
"""Levels between the components' scales."""


@torch.no_grad()
def set_transforms(
    analysis: Analysis, synthesis: Synthesis, matrices: list[Tensor], unit: float, centre: float
) -> None:
    """Analysis from `pyramid`'s layers and synthesis from their transposes, for values around `centre`, latents in
    units of `unit`.

    Each 2 x 2 block goes to the two taps of a kernel of stride 2 from its middle on.
    """
    down, up = convolutions(analysis), convolutions(synthesis)[::-1]
    blocks = [matrix.view(len(matrix), 2, 2, -1).permute(0, 3, 1, 2) for matrix in matrices]
    for layer, block in [*zip(down, blocks, strict=True), *zip(up[1:], blocks[1:], strict=True)]:
        middle = slice(layer.kernel_size[0] // 2, layer.kernel_size[0] // 2 + 2)
        layer.weight[:, :, middle, middle] = block
    up[0].weight[:, :, 1, 1] = blocks[0].permute(1, 2, 3, 0).flatten(0, 2)
    down[-1].weight.div_(unit)
    up[-1].weight.mul_(unit)
    bias_of(down[0]).copy_(-centre * down[0].weight.sum((1, 2, 3)))
    bias_of(up[0]).fill_(centre)


@torch.no_grad()
def set_hyper_transforms(
    analysis: HyperAnalysis, decoder: HyperDecoder, spreads: Tensor, components: int, seed: int
) -> None:
    """Kaiming-normal layers, for latents of standard deviations `spreads` [M].

    The distribution of a latent starts at its channel's spread, a little moved by the hyper-latents, and at the mean 0;
    components start apart in their scales.
    """
    down, up = convolutions(analysis), convolutions(decoder)
    for index, layer in enumerate([*down, *up]):
        draw_kaiming(layer, seed, "hyper-transforms", index)
    spreads = spreads.clamp_min(LEAST_SPREAD)
    down[0].weight.div_(spreads.view(1, -1, 1, 1))
    down[-1].weight.mul_(2.0)
    scales = components * len(spreads)
    up[-1].weight[:scales].mul_(0.5)
    up[-1].weight[scales:].zero_()
    fan = FAN * (torch.arange(components) - (components - 1) / 2)
    bias_of(up[-1])[:scales] = (level_of(spreads) + fan[:, None]).flatten()


@torch.no_grad()
def set_prior(prior: FactorisedPrior, spreads: Tensor) -> None:
    """Logistic distributions around 0 of these standard deviations [C], 0.3 at least."""
    scales = spreads.clamp_min(LEAST_SPREAD) * math.sqrt(3) / math.pi
    slope = scales ** (-1 / len(prior.slopes))
    prior.slopes.copy_(slope.expm1().log().expand_as(prior.slopes))


@torch.no_grad()
def set_attention(attention: ChannelAttention, spreads: Tensor, seed: int) -> None:
    """Gates near 1/2, that differ a little with the mean of latents of standard deviations `spreads` [C].

    Hidden units start at a bias of 1, so that none starts without a gradient.
    """
    for index, layer in enumerate(convolutions(attention)):
        draw_kaiming(layer, seed, "attention", len(spreads), index)
    squeeze, excite = convolutions(attention)
    squeeze.weight.div_(spreads.clamp_min(LEAST_SPREAD).view(1, -1, 1, 1))
    bias_of(squeeze).fill_(1.0)
    excite.weight.mul_(0.03)


@torch.no_grad()
def set_enhancement(enhancement: Enhancement, seed: int) -> None:
    """Kaiming-normal layers; residual units start small, and the last layer at 0."""
    for index, layer in enumerate(convolutions(enhancement)[:-1]):
        draw_kaiming(layer, seed, "enhancement", index)
    for unit in enhancement.modules():
        if isinstance(unit, Residual):
            convolutions(unit)[-1].weight.mul_(0.1)


def convolutions(module: nn.Module) -> list[Conv2d | Upsampling]:
    """The convolutions of a module in the order in which they run."""
    return [layer for layer in module.modules() if isinstance(layer, (Conv2d, Upsampling))]


def bias_of(layer: Conv2d | Upsampling) -> Tensor:
    """The bias, which all our convolutions have."""
    assert layer.bias is not None
    return layer.bias


def draw_kaiming(layer: Conv2d | Upsampling, seed: int, purpose: str, *counters: int) -> None:
    """Weights from N(0, 2 / fan in), where a transposed convolution of stride 2 sums a quarter of its taps."""
    taps = layer.kernel_size[0] ** 2 / (4 if isinstance(layer, Upsampling) else 1)
    generator = torch_generator(seed, f"initialisation of {purpose}", *counters)
    layer.weight.normal_(std=math.sqrt(2 / (layer.in_channels * taps)), generator=generator)
