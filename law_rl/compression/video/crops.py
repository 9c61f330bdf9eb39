"""Short square clips as samples: what a video codec learns from in an inner loop, and what it is measured on."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.parts import Parts, content_hash
from law_rl.compression.photograph_parts import Source, check_source, photograph_parts
from law_rl.compression.rd_cost import RD_DB
from law_rl.compression.shipped import model_path
from law_rl.compression.video.objective import intra_frames
from law_rl.compression.video.synthetic import synthetic_clips

SIZE = 64
"""Pixels a side of a clip, the least that codecs take."""
INTRA = 1
"""The quality of the image model that ships whose decoded frames clips begin with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """Clips uint8 [N, T, 3, S, S], and `intra`, their frames as an image codec decodes them.

    The samples are the frames that have one before them, clip by clip.
    """

    frames: Tensor
    intra: Tensor

    def __len__(self) -> int:
        return len(self.frames) * (self.frames.shape[1] - 1)

    def places(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The clip and the time, 1 or later, of the samples `ids` [B]: two tensors int64 [B]."""
        clips = torch.div(ids, self.frames.shape[1] - 1, rounding_mode="floor")
        return clips, 1 + ids - clips * (self.frames.shape[1] - 1)

    def to(self, device: torch.device | str) -> "Crops":
        """The same clips on `device`; tensors that are there already are shared."""
        return Crops(frames=self.frames.to(device), intra=self.intra.to(device))


class CropDataset(Parts[Crops]):
    """Clips of photographs."""

    def content_hash(self) -> str:
        """Hexadecimal sha256 over the name and all frames, decoded ones too."""
        parts = (self.train, self.validation, self.test)
        return content_hash(self.name, (each for part in parts for each in (part.frames, part.intra)))


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How many clips of `frames` frames, `SIZE` pixels a side, of synthetic motion (`synthetic_clips`) over which
    photographs (`photograph_parts`).
    """

    name: Source = "samples"
    root: str = ""
    frames: int = 4
    train: int = 64
    validation: int = 24
    test: int = 48

    def __post_init__(self) -> None:
        check_source(self.name)
        if self.frames < 2:
            raise ValueError(f"frames is {self.frames}: give 2 at least, as a frame is predicted from another")
        for part in ("train", "validation", "test"):
            if getattr(self, part) < 1:
                raise ValueError(f"{part} is {getattr(self, part)}: give a number of clips, 1 or more")

    @property
    def metric(self) -> str:
        return RD_DB

    def load(self) -> CropDataset:
        """The clips, on the CPU, shared between calls; FileNotFoundError where photographs or model are missing."""
        return _load(self)


@lru_cache(maxsize=4)
def _load(config: CropConfig) -> CropDataset:
    intra = CodecModel.load(model_path(INTRA)).network()
    parts: list[Crops] = []
    counts = (config.train, config.validation, config.test)
    for seed, (photographs, count) in enumerate(zip(photograph_parts(config.name, config.root), counts, strict=True)):
        clips = synthetic_clips(photographs, count=count, frames=config.frames, size=SIZE, seed=seed)
        parts.append(Crops(frames=clips.frames, intra=intra_frames(clips.frames, intra)))
    train, validation, test = parts
    return CropDataset(name=config.name, train=train, validation=validation, test=test)
