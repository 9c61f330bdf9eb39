"""A task of training a video codec: clips and training in one value from which every seed's network is made."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from law_rl.compression.rd_cost import RD_DB
from law_rl.compression.video.crops import CropConfig, CropDataset
from law_rl.compression.video.learner import VideoLearner, VideoLearnerConfig


@dataclass(frozen=True, kw_only=True)
class VideoTask:
    """Trains a small network of predicted frames; a seed draws the initialisation, the batches and the noise."""

    metric: ClassVar[str] = RD_DB
    memory_decay: ClassVar[float] = 0.0
    data: CropConfig = field(default_factory=CropConfig)
    training: VideoLearnerConfig = field(default_factory=VideoLearnerConfig)

    @property
    def stages(self) -> int:
        return self.training.stages

    @property
    def device(self) -> str:
        return self.training.device

    def prepare(self, observer: Callable[[int, int], None]) -> None:
        """Nothing: trainings share only their data."""

    def learner(self, seed: int) -> VideoLearner:
        """A fresh learner; FileNotFoundError in one sentence where the photographs or the image model are missing."""
        return self.training.learner(_shared(self.data, self.device), seed)

    def describe(self) -> dict[str, Any]:
        """Configuration without paths, and the content hash of the clips."""
        data, training = asdict(self.data), asdict(self.training)
        data.pop("root")
        training.pop("device")
        return {"name": self.data.name, "hash": self.data.load().content_hash(), "data": data, "training": training}


@lru_cache(maxsize=4)
def _shared(data: CropConfig, device: str) -> CropDataset:
    return data.load().to(device)
