"""Motion compensation's warp that every machine computes alike."""

import torch
from torch import Tensor, nn

from law_rl.compression.bitstream.grid import to_grid

FLOW_BITS = 6
"""Flow is rounded to 1/64 pixel."""


class FixedWarp(nn.Module):
    """The exact twin of `Warp`: images [B, C, H, W] seen through flow [B, 2, H, W], float64 multiples of 2^-12.

    Flow is rounded to 1/64 pixel, halves up, places beyond the picture are moved to its border, and the four products
    with weights of 2^-12 and their sum, exact both, are rounded to 2^-12, halves up.
    """

    def forward(self, images: Tensor, flow: Tensor) -> Tensor:
        height, width = images.shape[2:]
        rows, row_part = _places(torch.arange(height, device=flow.device)[:, None], flow[:, 1], height)
        columns, column_part = _places(torch.arange(width, device=flow.device), flow[:, 0], width)
        flat = images.flatten(2)
        total = torch.zeros_like(images)
        for row, row_weight in ((rows, 1 - row_part), ((rows + 1).clamp_(max=height - 1), row_part)):
            for column, weight in ((columns, 1 - column_part), ((columns + 1).clamp_(max=width - 1), column_part)):
                index = (row * width + column).flatten(1)[:, None].expand(flat.shape)
                total += flat.gather(2, index).view(images.shape) * (row_weight * weight)[:, None]
        return to_grid(total)


def _places(pixels: Tensor, flow: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where pixels come from along one axis: the whole part int64 [B, H, W] and the rest, a multiple of 1/64."""
    steps = (flow * 2.0**FLOW_BITS).add_(0.5).floor_() * 2.0**-FLOW_BITS
    places = (pixels + steps).clamp_(0, size - 1)
    whole = places.floor()
    return whole.long(), places - whole
