"""The codec's network as a whole: EDIC's figure in code."""

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor, nn

from law_rl.compression.network.attention import ChannelAttention
from law_rl.compression.network.enhancement import Enhancement
from law_rl.compression.network.factorised import FactorisedPrior
from law_rl.compression.network.hyper import HyperAnalysis, HyperDecoder
from law_rl.compression.network.initialisation import (
    set_attention,
    set_enhancement,
    set_hyper_transforms,
    set_transforms,
)
from law_rl.compression.network.mixture import mixture_bits, on_grid, quantise
from law_rl.compression.network.noise import uniform_noise
from law_rl.compression.network.pyramid import PHOTOGRAPHS, Signal, pyramid
from law_rl.compression.network.transforms import Analysis, Synthesis

AttentionPosition = Literal["none", "z", "y", "both"]

LATENT_STRIDE = 16
HYPER_STRIDE = 64
"""Pixels a side of one latent and of one hyper-latent: images must be multiples of the latter."""


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """The codec's sizes and switches: `width` channels within the transforms and of the hyper-latents, `latents`
    channels of the latents, `components` Gaussians a latent, `attention` on which latents, and `enhancement` channels
    of the enhancement module (0 for none) with `enhancement_blocks` blocks.

    Raises ValueError for a value out of range, and for blocks of an enhancement that is not there.
    """

    width: int = 64
    latents: int = 96
    components: int = 1
    attention: AttentionPosition = "y"
    enhancement: int = 0
    enhancement_blocks: int = 3

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("latents", 1), ("components", 1), ("enhancement", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: give at least {least}.")
        if self.attention not in get_args(AttentionPosition):
            raise ValueError(f"attention is {self.attention!r}: use one of {', '.join(get_args(AttentionPosition))}.")
        if self.enhancement_blocks < 1:
            raise ValueError(
                f"enhancement_blocks is {self.enhancement_blocks}: give at least 1 (enhancement=0 leaves it out)."
            )
        if not self.enhancement and self.enhancement_blocks != 3:
            raise ValueError(
                f"enhancement_blocks is {self.enhancement_blocks}, but enhancement is 0: leave it at 3, or give "
                "enhancement channels."
            )


SMALL = CodecConfig(attention="z", components=2)
PAPER_LOW = replace(SMALL, width=128, latents=192)
PAPER_HIGH = replace(SMALL, width=192, latents=320)
"""A size that two cores decode fast, and EDIC's sizes for lambda below 4096 and from there on. Two Gaussians pay for
their time, attention on z costs none: `benchmarks/codec_ablation.py`.
"""


class CodecOutput(NamedTuple):
    """What a pass gives: reconstructions [B, 3, H, W] (not clipped), bits of the latents and of the hyper-latents [B],
    and the latents [B, M, H/16, W/16] before they are quantised. float32, or float64 for a network in float64."""

    reconstruction: Tensor
    y_bits: Tensor
    z_bits: Tensor
    y: Tensor

    @property
    def bits(self) -> Tensor:
        """All bits [B]."""
        return self.y_bits + self.z_bits


class CodecNetwork(nn.Module):
    """From images to latents, hyper-latents, the latents' distribution, and back to images.

    Only `raw` decides whether a file can be decoded; the rest changes pixels. Hyper-transforms and bits are computed
    in float32 also under autocast. All layers but GDN are zero until `build_codec` or `load_state_dict` sets them.
    Source: EDIC, arXiv 2002.03370, on the mean-scale hyperprior of arXiv 1809.02736 without a context model.
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = Analysis(config.width, config.latents)
        self.synthesis = Synthesis(config.latents, config.width)
        self.hyper_analysis = HyperAnalysis(config.width, config.latents)
        self.hyper_decoder = HyperDecoder(config.width, config.latents, config.components)
        self.prior = FactorisedPrior(config.width)
        on_y, on_z = config.attention in ("y", "both"), config.attention in ("z", "both")
        self.attention_y = ChannelAttention(config.latents) if on_y else nn.Identity()
        self.attention_z = ChannelAttention(config.width) if on_z else nn.Identity()
        self.enhancement = (
            Enhancement(config.enhancement, config.enhancement_blocks) if config.enhancement else nn.Identity()
        )

    def analyse(self, images: Tensor) -> Tensor:
        """Latents [B, M, H/16, W/16] of images [B, 3, H, W] in 0..1, attention on them included.

        Raises ValueError for images that are not RGB or whose sides are not multiples of 64.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % HYPER_STRIDE or images.shape[3] % HYPER_STRIDE:
            raise ValueError(
                f"the images have the shape {tuple(images.shape)}: give [B, 3, H, W] with sides that are multiples "
                f"of {HYPER_STRIDE}."
            )
        latents = self.analysis(images.contiguous(memory_format=torch.channels_last))
        with torch.autocast(images.device.type, enabled=False):
            return cast(Tensor, self.attention_y(latents))

    def hyper_analyse(self, y: Tensor) -> Tensor:
        """Hyper-latents [B, N, H/64, W/64] of latents, attention on them included."""
        with torch.autocast(y.device.type, enabled=False):
            return cast(Tensor, self.attention_z(self.hyper_analysis(y)))

    def raw(self, z_hat: Tensor) -> Tensor:
        """The raw parameters of the latents' distribution (see `mixture`) from quantised hyper-latents."""
        with torch.autocast(z_hat.device.type, enabled=False):
            return cast(Tensor, self.hyper_decoder(z_hat))

    def synthesise(self, y_hat: Tensor) -> Tensor:
        """Images [B, 3, H, W], not clipped, of quantised latents; the enhancement included."""
        images = self.synthesis(y_hat.contiguous(memory_format=torch.channels_last))
        return cast(Tensor, self.enhancement(images)).to(y_hat.dtype)

    def forward(self, images: Tensor, noise: torch.Generator | None = None) -> CodecOutput:
        """One pass. With `noise` for training: bits of the latents plus uniform noise, images of the rounded latents
        with straight-through gradients. Without: what the coder does, bits of the rounded latents included."""
        components = self.config.components
        y = self.analyse(images)
        z = self.hyper_analyse(y)
        z_hat = z + (z.round() - z).detach()
        raw = self.raw(z_hat)
        if noise is None:
            raw = on_grid(raw, components)
        y_hat = quantise(y, raw, components)
        y_bits = mixture_bits(y_hat if noise is None else y + uniform_noise(y, noise), raw, components)
        z_bits = self.prior.bits(z_hat if noise is None else z + uniform_noise(z, noise))
        return CodecOutput(self.synthesise(y_hat), y_bits.sum((1, 2, 3)), z_bits.sum((1, 2, 3)), y)


def build_codec(
    config: CodecConfig,
    seed: int,
    device: str | torch.device = "cpu",
    *,
    lambda_: float = 1024.0,
    signal: Signal = PHOTOGRAPHS,
) -> CodecNetwork:
    """A float32 network on `device`, channels last, whose transforms start as those of `pyramid`.

    Latents start at the unit that is best at high rates for bits + `lambda_` times the squared error, and the scales at
    what the model of the signal gives for each channel. The values are drawn on the CPU from (seed, purpose), so they
    are the same on every device. Raises ValueError for a lambda not above 0.
    """
    if not 0 < lambda_ < math.inf:
        raise ValueError(f"lambda_ is {lambda_}: give a finite number above 0 (EDIC's are 256 to 8192).")
    network = CodecNetwork(config)
    start, unit = pyramid(config.width, config.latents, seed, signal), math.sqrt(18 / (lambda_ * math.log(2)))
    spreads = (start.spreads / unit).float()
    set_hyper_transforms(network.hyper_analysis, network.hyper_decoder, spreads, config.components, seed)
    set_transforms(network.analysis, network.synthesis, start.layers, unit, signal.centre)
    if isinstance(network.attention_y, ChannelAttention):
        set_attention(network.attention_y, spreads, seed)
        network.analysis.last.weight.data.mul_(2.0)  # the gates start at 1/2
    if isinstance(network.attention_z, ChannelAttention):
        set_attention(network.attention_z, torch.ones(config.width), seed)
    if isinstance(network.enhancement, Enhancement):
        set_enhancement(network.enhancement, seed)
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
