"""Analysis and synthesis: image to latents and back."""

from typing import cast

import torch
from torch import Tensor, nn

from law_rl.compression.network.gdn import GDN
from law_rl.compression.network.layers import Conv2d, Upsampling


class Analysis(nn.Module):
    """Images [B, channels, H, W] -> latents [B, latents, H/16, W/16]: four convolutions of `size` pixels a side and
    stride 2, GDN between them.

    The last one runs in float32 also under autocast: latents go far beyond what bfloat16 resolves to the unit.
    Source: Balle et al., arXiv 1802.01436, figure 4, as in EDIC's released baseline.
    """

    def __init__(self, width: int, latents: int, *, channels: int = 3, size: int = 5) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Conv2d(channels, width, size, 2),
            GDN(width),
            Conv2d(width, width, size, 2),
            GDN(width),
            Conv2d(width, width, size, 2),
            GDN(width),
        )
        self.last = Conv2d(width, latents, size, 2)

    def forward(self, images: Tensor) -> Tensor:
        features = cast(Tensor, self.body(images))
        with torch.autocast(features.device.type, enabled=False):
            return cast(Tensor, self.last(features.to(self.last.weight.dtype)))


class Synthesis(nn.Sequential):
    """Latents [B, latents, h, w] -> images [B, channels, 16h, 16w]: three transposed convolutions of `size` pixels a
    side and stride 2, each with inverse GDN, and a convolution 3 x 3 to the four pixels of each position.

    The last one stands in for a fourth transposed convolution of size 5 or 3, whose taps all lie in those 3 x 3 (and it
    has a few more): it takes half the time on a CPU.
    Source: Balle et al., arXiv 1802.01436, figure 4, as in EDIC's released baseline, but for the last layer.
    """

    def __init__(self, latents: int, width: int, *, channels: int = 3, size: int = 5) -> None:
        super().__init__(
            Upsampling(latents, width, size),
            GDN(width, inverse=True),
            Upsampling(width, width, size),
            GDN(width, inverse=True),
            Upsampling(width, width, size),
            GDN(width, inverse=True),
            Conv2d(width, 4 * channels, 3),
            nn.PixelShuffle(2),
        )
