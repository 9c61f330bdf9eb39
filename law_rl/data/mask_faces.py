"""Face masks drawn on aligned faces, a whole batch at a time on its device."""

import torch
from torch import Tensor

EYES_END = 0.5
"""No mask reaches above this share of the height: ArcFace's template has the eyes at 46 %."""

NUMBERS = 12
"""Random numbers that one mask takes, besides one for each channel."""


def mask_faces(images: Tensor, generator: torch.Generator, share: float = 1.0) -> Tensor:
    """A copy of the faces uint8 [N, C, S, S] where each wears a mask with probability `share`, independently.

    The faces are aligned to ArcFace's template: eyes at 46 % of the height, the tip of the nose at 64 %, the mouth at
    82 %. A mask hides what lies between the nose and the chin and leaves the eyes free; its upper edge, its width, how
    it narrows to the chin, its tone, pleats and the softness of its edge are random (our own drawing, of no paper).
    All draws come from `generator`, which must live on the images' device. Raises ValueError for other images or a
    share outside 0 to 1.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}: to draw masks, give aligned faces as uint8 [N, C, S, S]."
        )
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}: give a number from 0 to 1, the share of faces that get a mask.")
    count, channels, side, _ = images.shape
    numbers = torch.rand(count, NUMBERS + channels, generator=generator, device=images.device)
    worn, brightness, *shape = numbers[:, :NUMBERS, None, None].unbind(1)
    first = round(EYES_END * side)
    coverage, shading = _drawn(shape, side, first)
    tone = 30 + 190 * brightness[:, None] + 60 * (numbers[:, NUMBERS:, None, None] - 0.5)
    lower = images[:, :, first:]
    coverage = (coverage * (worn < share))[:, None]
    masked = images.clone()
    masked[:, :, first:] = (
        (lower + coverage * (tone * shading[:, None] - lower)).round_().clamp_(0, 255).to(torch.uint8)
    )
    return masked


def _drawn(numbers: list[Tensor], side: int, first: int) -> tuple[Tensor, Tensor]:
    """Coverage in [0, 1] and shading, a factor of the tone, of the rows from `first`: both [N, side - first, side].

    Lengths are shares of the side, except for the softness, which is in pixels. `numbers` are uniform, [N, 1, 1] each.
    """
    middle, top, arch, tilt, width, bottom, roundness, softness, pleats, folds = numbers
    device = middle.device
    across = ((torch.arange(side, device=device) + 0.5) / side)[None, None, :] - (0.47 + 0.06 * middle)
    down = ((torch.arange(first, side, device=device) + 0.5) / side)[None, :, None]
    half_width = 0.27 + 0.07 * width
    lateral = (across / half_width).clamp(-1, 1)
    edge = 0.52 + 0.1 * top + 0.08 * arch * lateral.square() + 0.06 * (tilt - 0.5) * lateral
    depth = (down - edge) / (0.98 + 0.12 * bottom - edge)
    narrowed = half_width * (1 - depth.clamp(0, 1).pow(2 + 2 * roundness)).sqrt()
    inside = torch.minimum(narrowed - across.abs(), down - edge)
    coverage = (0.5 + inside * side / (1 + 0.02 * side * softness)).clamp_(0, 1)
    wave = torch.sin((4 + 6 * folds) * torch.pi * depth)
    shading = 1 - 0.3 * lateral.square() + 0.3 * (pleats - 0.5).clamp(min=0) * wave
    return coverage, shading
