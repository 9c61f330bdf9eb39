"""Patches of photographs: the samples that a codec learns from in an inner loop, and those that it is measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from law_rl.compression.parts import Parts, content_hash
from law_rl.compression.photograph_parts import Image, Source, check_source, photograph_parts
from law_rl.compression.rd_cost import RD_DB
from law_rl.counters import torch_generator

FLATTEST = 1e-6
"""A mean squared gradient below this counts as this: under a quarter of a grey level from pixel to pixel."""


class PatchDataset(Parts[torch.Tensor]):
    """Patches uint8 [N, 3, S, S] of photographs."""

    def content_hash(self) -> str:
        """Hexadecimal sha256 over the name and the pixels of all parts."""
        return content_hash(self.name, (self.train, self.validation, self.test))


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Which photographs, see `photograph_parts`, and how many patches of `size` pixels of them are kept, evenly drawn;
    0: all.
    """

    name: Source = "samples"
    root: str = ""
    size: int = 64
    train: int = 1024
    validation: int = 512
    test: int = 0

    def __post_init__(self) -> None:
        check_source(self.name)
        if self.size < 64 or self.size % 64:
            raise ValueError(f"size is {self.size}: give a multiple of 64 pixels, in which codecs work")
        for part in ("train", "validation", "test"):
            if getattr(self, part) < 0:
                raise ValueError(f"{part} is {getattr(self, part)}: give a number of patches, or 0 for all")

    @property
    def metric(self) -> str:
        return RD_DB

    def load(self) -> PatchDataset:
        """The patches, on the CPU, shared between calls; FileNotFoundError where the photographs are missing."""
        return _load(self)


@lru_cache(maxsize=4)
def _load(config: PatchConfig) -> PatchDataset:
    parts = photograph_parts(config.name, config.root)
    step = config.size // 2 if config.name == "samples" else config.size
    train, validation, test = (
        _kept([patches for image in part for patches in cut(image, config.size, step)], most, name)
        for part, most, name in zip(
            parts, (config.train, config.validation, config.test), ("train", "validation", "test"), strict=True
        )
    )
    return PatchDataset(name=config.name, train=train, validation=validation, test=test)


def cut(image: Image, size: int, step: int) -> torch.Tensor:
    """All patches uint8 [N, 3, size, size] of an image [H, W, 3] that begin at multiples of `step` pixels."""
    rows = torch.tensor(image).permute(2, 0, 1).unfold(1, size, step).unfold(2, size, step)
    return rows.permute(1, 2, 0, 3, 4).reshape(-1, 3, size, size)


def _kept(patches: Sequence[torch.Tensor], most: int, part: str) -> torch.Tensor:
    whole = torch.stack(list(patches))
    if not 0 < most < len(whole):
        return whole
    chosen = torch.randperm(len(whole), generator=torch_generator(0, f"{part} patches"))[:most]
    return whole[chosen.sort().values]


def gradient_energy(images: torch.Tensor) -> torch.Tensor:
    """The log of the mean squared difference of neighbouring pixels float32 [N], of images uint8 [N, 3, H, W] or float
    in 0..1: how busy each is.
    """
    values = images.float() / 255.0 if images.dtype == torch.uint8 else images.float()
    along, down = values.diff(dim=3).square().mean(dim=(1, 2, 3)), values.diff(dim=2).square().mean(dim=(1, 2, 3))
    return (0.5 * (along + down)).clamp_min(FLATTEST).log()
