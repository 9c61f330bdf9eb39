"""What spoils faces before a recogniser sees them: blur, few pixels, little light, masks, or one of these by chance."""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from law_rl.data.mask_faces import mask_faces

Condition = Literal["plain", "blurred", "low resolution", "dark", "masked", "mixed"]

BLUR = (0.02, 0.05)
"""The standard deviation of the blur, from and to, as a share of the side."""
REDUCTIONS = (3, 4, 5)
"""How many times fewer pixels a side has."""
LIGHT = (0.1, 0.4)
"""The share of the light that is left."""
NOISE = 3.0
"""The standard deviation of a dark image's noise, in grey values of 255."""


def degrade(images: Tensor, condition: Condition, generator: torch.Generator) -> Tensor:
    """A copy of aligned faces uint8 [N, C, S, S] in the condition; strengths are drawn anew for each image.

    "mixed": each image is in one of the other five, drawn alike. All draws come from `generator`, which must live on
    the images' device. Raises ValueError for another condition.
    """
    if condition not in get_args(Condition):
        raise ValueError(f"condition is {condition!r}: use one of {', '.join(get_args(Condition))}")
    if condition != "mixed":
        return _SINGLE[condition](images, generator)
    versions = torch.stack([make(images, generator) for make in _SINGLE.values()])
    drawn = torch.randint(len(versions), (len(images),), generator=generator, device=images.device)
    return versions[drawn, torch.arange(len(images), device=images.device)]


def _blurred(images: Tensor, generator: torch.Generator) -> Tensor:
    """A Gaussian across, then down, of each image's own width."""
    count, channels, side, _ = images.shape
    radius = round(3 * BLUR[1] * side)
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    widths = side * _uniform(BLUR, count, generator)
    kernels = torch.softmax(-offsets.square() / (2 * widths[:, None].square()), dim=1).repeat_interleave(channels, 0)
    rows = functional.pad(images.float().flatten(0, 1)[None], (radius,) * 4, mode="replicate")
    for kernel in (kernels[:, None, None, :], kernels[:, None, :, None]):
        rows = functional.conv2d(rows, kernel, groups=count * channels)
    return _pixels(rows.view(images.shape))


def _low_resolution(images: Tensor, generator: torch.Generator) -> Tensor:
    """Made smaller by a drawn factor with smoothing, and enlarged again."""
    side, plain = images.shape[-1], images.float()
    drawn = torch.randint(len(REDUCTIONS), (len(images),), generator=generator, device=images.device)
    versions = []
    for factor in REDUCTIONS:
        small = functional.interpolate(plain, size=round(side / factor), mode="bilinear", antialias=True)
        versions.append(functional.interpolate(small.round(), size=side, mode="bilinear"))
    return _pixels(torch.stack(versions)[drawn, torch.arange(len(images), device=images.device)])


def _dark(images: Tensor, generator: torch.Generator) -> Tensor:
    light = _uniform(LIGHT, len(images), generator)[:, None, None, None]
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return _pixels(light * images + NOISE * noise)


def _plain(images: Tensor, generator: torch.Generator) -> Tensor:
    return images.clone()


def _uniform(ends: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * torch.rand(count, generator=generator, device=generator.device)


def _pixels(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


_SINGLE: dict[Condition, Callable[[Tensor, torch.Generator], Tensor]] = {
    "plain": _plain,
    "blurred": _blurred,
    "low resolution": _low_resolution,
    "dark": _dark,
    "masked": mask_faces,
}
