"""What predicted frames are learned from and measured on: synthetic motion over photographs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.shipped import model_path
from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.objective import intra_frames
from law_rl.compression.video.synthetic import synthetic_clips
from law_rl.compression.video.video_codec import GOP

HELD_OUT = 16
"""Clips to measure on, a GOP each, the same for all trainings on one set of photographs and one size."""


@dataclass(frozen=True, kw_only=True)
class IntraFile:
    """The image model of first frames, and what it is called."""

    name: str
    model: CodecModel

    @classmethod
    def load(cls, intra: str | Path) -> "IntraFile":
        """That of a quality that ships, of a name, or of a file. Raises FileNotFoundError where there is none."""
        path = model_path(intra)
        return cls(name=path.stem, model=CodecModel.load(path))


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingClips:
    """Clips over the photographs to train on, `decoded` their frames as the intra model decodes them, and clips over
    those that are held out; all on one device. `seed` drew the first.
    """

    photographs: PhotographFiles
    intra: IntraFile
    train: ClipSet
    decoded: Tensor
    validation: ClipSet
    seed: int

    def held_out(self) -> Iterator[Iterator[NDArray[np.uint8]]]:
        """The frames uint8 [S, S, 3] of each clip to measure on."""
        return (iter(clip) for clip in self.validation.frames.permute(0, 1, 3, 4, 2).cpu().numpy())


def training_clips(
    photographs: PhotographFiles,
    intra: IntraFile,
    *,
    count: int,
    frames: int,
    size: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> TrainingClips:
    """`count` clips to train on of `frames` frames, `size` pixels square, and those to measure on.

    Raises ValueError for no clips, for fewer than two frames, and where no photograph of either part is large enough.
    """
    if count < 1:
        raise ValueError(f"clips is {count}: give the number of clips to train on, 1 or more")
    train = synthetic_clips(photographs.train, count=count, frames=frames, size=size, seed=seed, device=device)
    return TrainingClips(
        photographs=photographs,
        intra=intra,
        train=train,
        decoded=intra_frames(train.frames, intra.model.network(device)),
        validation=synthetic_clips(
            photographs.validation, count=HELD_OUT, frames=GOP, size=size, seed=0, device=device
        ),
        seed=seed,
    )
