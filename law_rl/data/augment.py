"""Augmentation of whole batches on their device: face masks, random horizontal flips and padded random crops."""

from dataclasses import dataclass
from typing import Literal

import torch

from law_rl.data.mask_faces import mask_faces


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """`flip`: mirror each image with probability 1/2. `crop`: pad by so many pixels, then crop at random; 0 = none.

    `padding` says what the crop sees beyond the border: zeros, or the image reflected (border pixel not repeated).
    `mask`: the share of images that get a face mask, for aligned faces; 0 = none.
    """

    flip: bool = False
    crop: int = 0
    padding: Literal["zeros", "reflect"] = "reflect"
    mask: float = 0.0

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise ValueError(f"AugmentConfig.crop={self.crop} is negative: use a number of pixels, or 0 for no crop.")
        if self.padding not in ("zeros", "reflect"):
            raise ValueError(f"AugmentConfig.padding={self.padding!r} is unknown: use 'zeros' or 'reflect'.")
        if not 0 <= self.mask <= 1:
            raise ValueError(f"AugmentConfig.mask={self.mask} is no share: use a number from 0 to 1.")

    @property
    def changes(self) -> bool:
        """Whether any image may come out other than it went in."""
        return self.flip or self.crop > 0 or self.mask > 0


def augment(images: torch.Tensor, config: AugmentConfig, generator: torch.Generator) -> torch.Tensor:
    """Augments each image of [N, C, H, W] (any dtype) independently; shape and dtype stay.

    Masks come first, so that crops and flips move them with the face. All draws come from `generator`, which must live
    on the images' device. Raises ValueError where a reflecting crop pads by as much as the image's side, and for masks
    on images that are not uint8 and square.
    """
    if config.mask:
        images = mask_faces(images, generator, config.mask)
    return _moved(images, config, generator) if config.flip or config.crop else images


def _moved(images: torch.Tensor, config: AugmentConfig, generator: torch.Generator) -> torch.Tensor:
    count, _, height, width = images.shape
    rows, rows_inside = _window(count, height, config, generator)
    columns, columns_inside = _window(count, width, config, generator)
    if config.flip:
        mirrored = torch.rand(count, 1, generator=generator, device=images.device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
        columns_inside = torch.where(mirrored, columns_inside.flip(1), columns_inside)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    augmented = images.flatten(2).gather(2, pixels[:, None].expand(-1, images.shape[1], -1)).view(images.shape)
    if config.crop and config.padding == "zeros":
        inside = rows_inside[:, :, None] & columns_inside[:, None, :]
        augmented.mul_(inside[:, None])
    return augmented


def _window(
    count: int, side: int, config: AugmentConfig, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Source positions int64 [count, side] of a shifted window along one axis, and whether each is in the image."""
    positions = torch.arange(side, device=generator.device).expand(count, -1)
    if not config.crop:
        return positions, torch.ones_like(positions, dtype=torch.bool)
    if config.padding == "reflect" and config.crop >= side:
        raise ValueError(f"AugmentConfig.crop={config.crop} cannot reflect an image of side {side}: use less.")
    shifts = torch.randint(-config.crop, config.crop + 1, (count, 1), generator=generator, device=generator.device)
    positions = positions + shifts
    inside = (positions >= 0) & (positions < side)
    if config.padding == "zeros":
        return positions.clamp(0, side - 1), inside
    return (side - 1) - ((side - 1) - positions.abs()).abs(), inside
