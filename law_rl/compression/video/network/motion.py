"""What the decoder gets to know of the motion: flow as latents, and back."""

from typing import cast

import torch
from torch import Tensor, nn

from law_rl.compression.network.factorised import FactorisedPrior
from law_rl.compression.network.transforms import Analysis, Synthesis
from law_rl.compression.video.network.compensation import FLOW_UNIT


class MotionCodec(nn.Module):
    """Flow [B, 2, H, W] in pixels -> latents [B, M, H/16, W/16] -> flow: four convolutions 3 x 3 of stride 2 with GDN,
    and their transposes. Each channel of the latents has a learned distribution of its own.

    Source: DVC, arXiv 1812.00101, section 3.4, figure 4: 128 channels there.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels, self.stride = width, 16
        self.analysis = Analysis(width, width, channels=2, size=3)
        self.synthesis = Synthesis(width, width, channels=2, size=3)
        self.prior = FactorisedPrior(width)

    def analyse(self, flow: Tensor) -> Tensor:
        """Latents, not rounded, float32 also under autocast."""
        return cast(Tensor, self.analysis((flow * (1 / FLOW_UNIT)).contiguous(memory_format=torch.channels_last)))

    def synthesise(self, motion_hat: Tensor) -> Tensor:
        """Flow of rounded latents, in their dtype."""
        flow = cast(Tensor, self.synthesis(motion_hat.contiguous(memory_format=torch.channels_last)))
        return flow.to(motion_hat.dtype) * FLOW_UNIT


class RawMotion(nn.Module):
    """Flow [B, 2, H, W] rounded to quarters of a pixel: the motion without a codec, DVC's ablation."""

    STEP = 0.25

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.stride = 2, 1
        self.prior = FactorisedPrior(2)

    def analyse(self, flow: Tensor) -> Tensor:
        """The flow in its quantisation steps, not rounded."""
        return flow * (1 / self.STEP)

    def synthesise(self, motion_hat: Tensor) -> Tensor:
        """The flow in pixels."""
        return motion_hat * self.STEP
