"""What the card of a video codec's model says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from law_rl.compression.card import Card
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.video_network import VideoConfig
from law_rl.compression.video.training_clips import IntraFile, TrainingClips
from law_rl.compression.video.training_config import VideoTrainingConfig
from law_rl.compression.video.validation import VideoValidation


@dataclass(frozen=True, kw_only=True)
class IntraFacts:
    """The image model of first frames: what it is called, and its hash in hexadecimal digits."""

    name: str
    hash: str

    @classmethod
    def of(cls, intra: IntraFile) -> Self:
        """The facts of a model as it was read."""
        return cls(name=intra.name, hash=intra.model.hash.hex())


@dataclass(frozen=True, kw_only=True)
class ClipFacts:
    """How many synthetic clips were trained on, of how many frames of `size` pixels a side, from which seed; and how
    many were held out, of how many frames.
    """

    count: int
    frames: int
    size: int
    seed: int
    held_out: int
    held_out_frames: int

    @classmethod
    def of(cls, clips: TrainingClips) -> Self:
        """The facts of clips as they were made."""
        count, frames, _, size, _ = clips.train.frames.shape
        held_out, held_out_frames = clips.validation.frames.shape[:2]
        return cls(
            count=count, frames=frames, size=size, seed=clips.seed, held_out=held_out, held_out_frames=held_out_frames
        )


@dataclass(frozen=True, kw_only=True)
class VideoCard(Card):
    """As `Card` has it, of frames of synthetic clips; `start` is the hash of the model that it went on from, if any."""

    ONE: ClassVar[str] = "a video codec"
    SEVERAL: ClassVar[str] = "Video codecs"
    SOURCE: ClassVar[str] = "DVC's network (arXiv 1812.00101), with EDIC's parts (2002.03370) where they are named"
    MEASURED: ClassVar[str] = (
        "On synthetic clips over photographs held out from training, a GOP each, by the models' own estimate of the "
        "bits; means over all frames, the last three over predicted ones:"
    )
    COLUMNS: ClassVar[tuple[str, ...]] = (
        *Card.COLUMNS,
        "predicted: bits per pixel",
        "of them motion",
        "PSNR, dB",
    )
    CROPS: ClassVar[str] = "frames"
    LIMITS: ClassVar[tuple[str, ...]] = (
        "Made for camera footage; a cut costs as much as an intra frame or more, as those come at fixed places alone.",
        "Trained on synthetic motion over photographs, not on footage: real motion, blur and lighting differ.",
        "It fills in texture that is plausible rather than true at low rates: not for evidence or measurement.",
    )
    USAGE: ClassVar[str] = """\
from pathlib import Path

import numpy as np

from law_rl.compression.video.container import open_video
from law_rl.compression.video.video_codec import load_video_codec

codec = load_video_codec("{model}")  # with intra=Path(...) where its image model does not ship
frames = [np.zeros((288, 352, 3), np.uint8) for _ in range(20)]  # yours
with open("clip.edicv", "wb") as file:
    codec.encode(frames, file, gop=10)
with open_video(Path("clip.edicv")) as video:
    decoded = [frame for number, frame in codec.decode(video)]"""

    training: VideoTrainingConfig
    validation: VideoValidation
    video: VideoConfig
    intra: IntraFacts
    clips: ClipFacts
    start: str

    @classmethod
    def readers(cls) -> Mapping[str, Callable[[dict[str, Any]], object]]:
        """As `Card` has it."""
        return {
            "training": lambda values: VideoTrainingConfig(**values),
            "validation": lambda values: VideoValidation(**values),
            "video": VideoModel.config_of,
            "intra": lambda values: IntraFacts(**values),
            "clips": lambda values: ClipFacts(**values),
        }

    @property
    def network(self) -> Mapping[str, Any]:
        """As `Card` has it."""
        return asdict(self.video)

    def cells(self) -> tuple[str, ...]:
        """As `Card` has it."""
        found = self.validation
        return *super().cells(), f"{found.predicted_bpp:.3f}", f"{found.motion_bpp:.3f}", f"{found.predicted_psnr:.2f}"

    def further_facts(self) -> Iterable[tuple[str, str]]:
        """As `Card` has it."""
        clips, trained = self.clips, self.training
        yield "first frames", f"{self.intra.name} ({self.intra.hash})"
        yield (
            "clips",
            f"synthetic motion over the photographs: {clips.count:,} clips of {clips.frames} frames of {clips.size} x "
            f"{clips.size} to train on (seed {clips.seed}), {clips.held_out} of {clips.held_out_frames} frames for "
            "validation",
        )
        yield "frames are predicted from", f"{trained.reference} frames"
        if self.start:
            yield "went on from", f"the model {self.start}"
        shares = {"flow": trained.flow, "motion": trained.motion, "compensation": trained.compensation}
        alone = [f"{name} {100 * share:g} %" for name, share in shares.items() if share]
        yield "stages", f"{', '.join(alone)} of the training, then all" if alone else "all parts together"
