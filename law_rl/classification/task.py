"""A classification task: data and training in one value from which every seed's learner is made."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.data.sources import DataConfig


@dataclass(frozen=True, kw_only=True)
class ClassificationTask:
    """Trains a classifier on a data set; a seed draws initialisation, batches and label noise."""

    data: DataConfig = field(default_factory=DataConfig)
    training: ClassificationConfig = field(default_factory=ClassificationConfig)

    @property
    def metric(self) -> str:
        return self.data.metric

    @property
    def stages(self) -> int:
        return self.training.stages

    @property
    def device(self) -> str:
        return self.training.device

    @property
    def memory_decay(self) -> float:
        return self.training.memory_decay

    def prepare(self, observer: Callable[[int, int], None]) -> None:
        """Nothing: trainings share only their data."""

    def learner(self, seed: int) -> ClassificationLearner:
        """A fresh learner; FileNotFoundError in one sentence where the data is missing."""
        return self.training.learner(self.data.load(seed), seed)

    def describe(self) -> dict[str, Any]:
        """Configuration without paths, and the content hash of the data as seed 0 sees it."""
        data = asdict(self.data)
        data.pop("root")
        data["noise"].pop("labels")
        training = asdict(self.training)
        training.pop("device")
        dataset = self.data.load(0)
        return {"name": self.data.name, "hash": dataset.content_hash(), "data": data, "training": training}
