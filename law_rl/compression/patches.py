"""Patches of photographs: the samples that a codec learns from in an inner loop, and those that it is measured on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from law_rl.compression.photograph_files import bsds_folder, read_photographs, sample_photographs
from law_rl.counters import torch_generator

RD_DB = "rd_db"
"""The metric of codecs: 10 log10(lambda / mean rate-distortion cost), in dB. It is the PSNR of a codec of the same cost
that needs no bits, so a gain of it is a gain of cost, and 10 dB are a tenth of the cost.
"""
FLATTEST = 1e-6
"""A mean squared gradient below this counts as this: under a quarter of a grey level from pixel to pixel."""

Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchDataset:
    """Patches uint8 [N, 3, S, S] of photographs, or parts of them, of which no two of the three share any."""

    metric: ClassVar[str] = RD_DB
    name: str
    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor

    def to(self, device: torch.device | str) -> Self:
        """The same patches on `device`; tensors that are there already are shared."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )

    def content_hash(self) -> str:
        """Hexadecimal sha256 over the name and the pixels of all parts."""
        digest = hashlib.sha256(self.name.encode())
        for patches in (self.train, self.validation, self.test):
            digest.update(repr(tuple(patches.shape)).encode())
            digest.update(patches.cpu().contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Which photographs, and how many patches of `size` pixels of them are kept, evenly drawn; 0: all.

    "samples": the two photographs that scikit-learn carries, of which the left three fifths are trained on, the next
    fifth validates and the last one tests. "bsds": BSDS500's 200 training photographs below `root` or in the usual
    places, of which three fifths are trained on, 40 validate and 40 test.
    """

    name: Literal["samples", "bsds"] = "samples"
    root: str = ""
    size: int = 64
    train: int = 1024
    validation: int = 512
    test: int = 0

    def __post_init__(self) -> None:
        if self.name not in ("samples", "bsds"):
            raise ValueError(f"name is {self.name!r}: use samples, which need no file, or bsds")
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
    if config.name == "samples":
        files = sample_photographs()
        parts, step = _strips([*files.train, *files.validation]), config.size // 2
    else:
        files = read_photographs([bsds_folder(config.root)])
        parts, step = _apart([*files.train, *files.validation]), config.size
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


def _strips(images: Sequence[Image]) -> tuple[list[Image], ...]:
    """Three upright strips of each image, three, one and one fifth of its width."""
    thirds = [np.split(image, [image.shape[1] * fifths // 5 for fifths in (3, 4)], axis=1) for image in images]
    return tuple(list(part) for part in zip(*thirds, strict=True))


def _apart(images: Sequence[Image]) -> tuple[list[Image], ...]:
    """The images in an order drawn once, three, one and one fifth of them."""
    order = torch.randperm(len(images), generator=torch_generator(0, "photographs apart")).tolist()
    first, second = (len(images) * fifths // 5 for fifths in (3, 4))
    return tuple([images[i] for i in part] for part in (order[:first], order[first:second], order[second:]))


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
