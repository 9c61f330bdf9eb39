"""The hyper-transforms: latents to hyper-latents, and hyper-latents to the parameters of the latents' distribution."""

from torch import nn

from law_rl.compression.network.layers import Conv2d, Upsampling


class HyperAnalysis(nn.Sequential):
    """Latents [B, latents, 4h, 4w] -> hyper-latents [B, width, h, w].

    It sees the latents themselves, not their absolute values, as the distribution has means too: our reading.
    Source: Minnen et al., arXiv 1809.02736, figure 2; layers as in arXiv 1802.01436, figure 4.
    """

    def __init__(self, width: int, latents: int) -> None:
        super().__init__(
            Conv2d(latents, width, 3), nn.ReLU(), Conv2d(width, width, 5, 2), nn.ReLU(), Conv2d(width, width, 5, 2)
        )


class HyperDecoder(nn.Sequential):
    """Quantised hyper-latents [B, width, h, w] -> raw parameters [B, groups * components * latents, 4h, 4w].

    Hyper-synthesis and parameter network in one: convolutions and ReLU alone, so that it can run in integers when it
    decodes. `law_rl.compression.network.mixture` says what the channels mean; groups is 3, and 2 for one component.
    Source: arXiv 1802.01436, figure 4; the 1 x 1 layers after a third party's EDIC, narrower (our reading).
    """

    def __init__(self, width: int, latents: int, components: int) -> None:
        super().__init__(
            Upsampling(width, width),
            nn.ReLU(),
            Upsampling(width, width * 3 // 2),
            nn.ReLU(),
            Conv2d(width * 3 // 2, 2 * width, 1),
            nn.ReLU(),
            Conv2d(2 * width, (2 if components == 1 else 3) * components * latents, 1),
        )
