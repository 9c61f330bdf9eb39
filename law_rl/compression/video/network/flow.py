"""Optical flow: where each pixel of a frame comes from in the reference. The encoder's alone."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.network.layers import Conv2d
from law_rl.compression.video.network.compensation import Warp

WINDOW = 7
"""Pixels a side of the neighbourhood that is taken to move alike."""

POLISHES = 2
"""Last corrections at full resolution: on real clips they make the warped reference better by 0.2 to 2.8 dB, for as
many bits of motion; a third gains nothing."""

FLATTEST = 1e-3
"""Mean squared gradient below which a neighbourhood says little about its motion."""


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Sizes of the flow network: convolutions of `kernel` pixels a side with `channels` between the 10 that go in and
    the 2 that come out, at `levels` resolutions, each half the one before, from 1 / `finest` of the frame down.
    """

    channels: tuple[int, ...] = (16, 16, 8)
    kernel: int = 5
    levels: int = 5
    finest: int = 2

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels is {self.channels}: give the channels of one layer at least, each 1 or more")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}: give an odd number of pixels")
        if self.finest not in (1, 2, 4, 8):
            raise ValueError(f"finest is {self.finest}: give 1, 2, 4 or 8")
        if self.levels < 1 or self.finest << (self.levels - 1) > 32:
            raise ValueError(f"levels is {self.levels}: give 1 or more, and no level below 1/32 of the frame")


PAPER_FLOW = FlowConfig(channels=(32, 64, 32, 16), kernel=7, finest=1)


class FlowNetwork(nn.Module):
    """Frames and references [B, 3, H, W] in 0..1, sides multiples of 64 -> flow [B, 2, H, W] in pixels.

    From the coarsest level on: the reference is warped along the flow so far, `lucas_kanade` says what is missing, and
    a few convolutions correct that, nothing at their start. Levels finer than `config.finest` are left to bilinear
    interpolation; in evaluation `lucas_kanade` then polishes the flow at full resolution, which training does without.
    Source: the pyramid is SpyNet's (Ranjan and Black, arXiv 1611.00850), as DVC (arXiv 1812.00101) takes it; SpyNet's
    levels begin with nothing known, which takes many more steps.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.levels = nn.ModuleList(_level(config) for _ in range(config.levels))
        self.warp = Warp()

    def forward(self, frames: Tensor, references: Tensor) -> Tensor:
        flow = _enlarged(self.pyramid(frames, references)[-1], self.config.finest)
        for _ in range(0 if self.training else POLISHES):
            flow = flow + lucas_kanade(frames, self.warp(references, flow))
        return flow

    def pyramid(self, frames: Tensor, references: Tensor) -> list[Tensor]:
        """The flow at each level, the coarsest first, in pixels of its level."""
        flows: list[Tensor] = []
        for number, level in enumerate(self.levels):
            scale = self.config.finest << (self.config.levels - 1 - number)
            frame, reference = (functional.avg_pool2d(images, scale) for images in (frames, references))
            flow = _enlarged(flows[-1], 2) if flows else torch.zeros_like(frame[:, :2])
            warped = self.warp(reference, flow)
            step = lucas_kanade(frame, warped)
            inputs = torch.cat([frame - 0.5, warped - 0.5, flow, step], 1)
            flows.append(flow + step + level(inputs.contiguous(memory_format=torch.channels_last)).float())
        return flows


def lucas_kanade(frames: Tensor, references: Tensor) -> Tensor:
    """The flow [B, 2, H, W], below one pixel in each direction, that explains best to first order how the frames
    [B, 3, H, W] differ from the references, in least squares over a window around each pixel. In float32.

    Where a window shows no gradient in a direction, the flow along it is nothing.
    Source: Lucas and Kanade, "An iterative image registration technique", 1981, with Tikhonov's regularisation.
    """
    with torch.autocast(frames.device.type, enabled=False):
        around = functional.pad(0.5 * (frames + references), (1, 1, 1, 1), mode="replicate")
        gx = 0.5 * (around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2])
        gy = 0.5 * (around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1])
        change = frames - references
        products = [gx * gx, gx * gy, gy * gy, gx * change, gy * change]
        sums = torch.stack([product.sum(1) for product in products], 1)
        means = functional.avg_pool2d(sums, WINDOW, 1, WINDOW // 2, count_include_pad=False)
        xx, xy, yy, xc, yc = means.unbind(1)
        xx, yy = xx + FLATTEST, yy + FLATTEST
        flow = torch.stack([yy * xc - xy * yc, xx * yc - xy * xc], 1) / (xx * yy - xy * xy).unsqueeze(1)
        return flow.tanh()


def _level(config: FlowConfig) -> nn.Sequential:
    """The slope below 0 keeps the few channels alive, which plain ReLUs lose within a hundred steps."""
    widths = (10, *config.channels, 2)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [Conv2d(inputs, outputs, config.kernel), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers[:-1])


def _enlarged(flow: Tensor, times: int) -> Tensor:
    return flow if times == 1 else times * functional.interpolate(flow, scale_factor=times, mode="bilinear")
