"""Motion compensation: the reference is warped along the motion, and a network mends the warped frame."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.network.layers import Conv2d

FLOW_UNIT = 16.0
"""Networks see flow in units of so many pixels."""


class Warp(nn.Module):
    """Images [B, C, H, W] seen through flow [B, 2, H, W]: pixel p shows what lies at p + flow(p) of the image.

    Flow is in pixels, right and down; bilinear between pixels, the border beyond the picture. float32 also under
    autocast.
    """

    def forward(self, images: Tensor, flow: Tensor) -> Tensor:
        height, width = images.shape[2:]
        with torch.autocast(images.device.type, enabled=False):
            images, flow = images.float(), flow.float()
            xs = torch.arange(width, device=flow.device) + flow[:, 0]
            ys = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
            places = torch.stack([(2 * xs + 1) / width - 1, (2 * ys + 1) / height - 1], 3)
            return functional.grid_sample(images, places, padding_mode="border", align_corners=False)


class PreActivation(nn.Module):
    """x + conv(relu(conv(relu(x)))), 3 x 3, over [B, C, H, W]: a residual block whose activations come first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), Conv2d(channels, channels, 3), nn.ReLU(), Conv2d(channels, channels, 3))

    def forward(self, features: Tensor) -> Tensor:
        return features + cast(Tensor, self.body(features))


class Compensation(nn.Module):
    """(warped [B, 3, H, W], reference [B, 3, H, W], flow [B, 2, H, W]) -> prediction [B, 3, H, W].

    Residual blocks at full, half and quarter resolution, with skips between; what comes out is added to the warped
    frame (the paper's network gives the frame itself), so it starts as the identity.
    Source: DVC, arXiv 1812.00101, supplement, figure 3, with 64 channels and one more convolution at the end there.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Sequential(Conv2d(8, width, 3), PreActivation(width))
        self.down = nn.ModuleList(nn.Sequential(nn.AvgPool2d(2), PreActivation(width)) for _ in range(2))
        self.bottom = PreActivation(width)
        self.up = nn.ModuleList(PreActivation(width) for _ in range(2))
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.tail = Conv2d(width, 3, 3)

    def forward(self, warped: Tensor, reference: Tensor, flow: Tensor) -> Tensor:
        inputs = torch.cat([warped, reference, flow * (1 / FLOW_UNIT)], 1)
        full = self.head(inputs.contiguous(memory_format=torch.channels_last))
        half = self.down[0](full)
        features = self.bottom(self.down[1](half))
        for block, skip in zip(self.up, (half, full), strict=True):
            features = block(self.enlarge(features) + skip)
        return warped + cast(Tensor, self.tail(features)).to(warped.dtype)
