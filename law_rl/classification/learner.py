"""The classification learner: one network trained on one data set, stage by stage, with sample weights."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch.nn import functional

from law_rl.batch import Batch
from law_rl.classification.evaluation import classification_metrics, retrieval_metrics
from law_rl.classification.networks import Classifier, NetworkConfig, build_network, seed_dropout
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.staged_learner import Objective, StagedLearner, check_staged
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig, augment
from law_rl.data.dataset import Split, normalise
from law_rl.data.retrieval import RetrievalSplit
from law_rl.data.training_data import TrainingData
from law_rl.features import OF_CODECS, WITH_TEACHER, Features, check_feature_names

INPUTS_LIMIT = 32 * 2**20
"""Bytes of normalised training images that a learner may keep in the host's memory."""


@dataclass(frozen=True, kw_only=True)
class ClassificationConfig:
    """How a classifier is trained: network, optimiser, batches, and the cut into stages.

    Stage k ends after round((k + 1) iterations / stages) iterations. `features` are those that weighting rules may use;
    `precision` "bf16" runs forward and backward under autocast; `deterministic` asks CUDA for repeatable kernels.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    batch_size: int = 64
    epochs: int = 40
    stages: int = 10
    features: tuple[str, ...] = ("loss", "entropy")
    memory_decay: float = 0.8
    precision: Literal["float32", "bf16"] = "float32"
    channels_last: bool = False
    deterministic: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_feature_names(self.features)
        check_staged(self)

    def learner(self, dataset: TrainingData, seed: int) -> "ClassificationLearner":
        """A fresh learner that is trained so, without a teacher."""
        return ClassificationLearner(self, dataset, seed)


class ClassificationLearner(StagedLearner):
    """Trains `dataset.train` by cross-entropy; its metric is top-1 accuracy, for retrieval mAP, in percent."""

    config: ClassificationConfig
    dataset: TrainingData
    network: Classifier

    def __init__(self, config: ClassificationConfig, dataset: TrainingData, seed: int) -> None:
        super().__init__(config, dataset, seed)
        self._inputs = self._kept_inputs()

    def _build_network(self) -> Classifier:
        config, shape, classes = self.config, self.dataset.image_shape, self.dataset.classes
        network = build_network(
            config.network, image_shape=shape, classes=classes, seed=self.seed, device=config.device
        )
        if config.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def _build_features(self) -> Features:
        """ValueError for features of what this training has not."""
        config = self.config
        against = [name for name in config.features if name in WITH_TEACHER and not self.anchors]
        if against:
            raise ValueError(f"features names {against[0]}, and this training has no teacher: leave it out")
        foreign = [name for name in config.features if name in OF_CODECS]
        if foreign:
            raise ValueError(f"features names {foreign[0]}, which only the training of a codec knows: leave it out")
        targets, classes = self.dataset.train.targets, self.dataset.classes
        return Features(config.features, classes=classes, targets=targets, memory_decay=config.memory_decay)

    @property
    def mislabelled(self) -> torch.Tensor | None:
        """Which training labels are wrong, bool [N]; None where that is not known."""
        return self.dataset.train.mislabelled

    def _objective_of(self, ids: torch.Tensor, iteration: int) -> Objective:
        targets = self.dataset.train.targets.index_select(0, ids)
        if self.config.network.dropout > 0:
            seed_dropout(self.network, self.seed, self.stage, iteration)
        return self._objective(self._batch_inputs(ids, iteration), targets, ids)

    def _objective(self, inputs: torch.Tensor, targets: torch.Tensor, ids: torch.Tensor) -> Objective:
        losses, logits = self._label_losses(self.network.embed(inputs), targets)
        return Objective(
            losses=losses, batch=Batch(losses=losses.detach(), logits=logits.detach(), targets=targets, ids=ids)
        )

    def _label_losses(self, embedding: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The losses [B] of the labels, and the logits [B, C] that samples' features are computed from."""
        logits = self.network.classifier(embedding)
        return functional.cross_entropy(logits.float(), targets, reduction="none"), logits

    def _batch_inputs(self, ids: torch.Tensor, iteration: int) -> torch.Tensor:
        if self._inputs is not None:
            return self._inputs.index_select(0, ids)
        device = self.config.device
        generator = torch_generator(self.seed, "augmentation", self.stage, iteration, device=device)
        images = self.dataset.train.images.index_select(0, ids)
        return self._normalise(augment(images, self.config.augment, generator))

    def _kept_inputs(self) -> torch.Tensor | None:
        """All training images normalised, float32 [N, C, H, W]; None to normalise each batch anew, to the same bits.

        That is where they are augmented, or on the CPU, where every learner's own would take more than INPUTS_LIMIT.
        """
        images, config = self.dataset.train.images, self.config.augment
        large = images.device.type == "cpu" and 4 * images.numel() > INPUTS_LIMIT
        return None if config.changes or large else self._normalise(images)

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        inputs = normalise(images, self.dataset.mean, self.dataset.std)
        return inputs.contiguous(memory_format=torch.channels_last) if self.config.channels_last else inputs

    def _measure(self, data: Any) -> dict[str, float]:
        """`classification_metrics` or, where identities are to be found, `retrieval_metrics`."""
        if isinstance(data, RetrievalSplit):
            return retrieval_metrics(self._embeddings(data.query.images), self._embeddings(data.gallery.images), data)
        return classification_metrics(self._logits(data), data.targets)

    def _losses_of_all(self) -> torch.Tensor:
        train = self.dataset.train
        return functional.cross_entropy(self._logits(train), train.targets, reduction="none")

    def _logits(self, data: Split) -> torch.Tensor:
        return self._outputs(self.network, data.images)

    def _embeddings(self, images: torch.Tensor) -> torch.Tensor:
        return self._outputs(self.network.embed, images)

    @torch.no_grad()
    def _outputs(self, compute: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        self.network.eval()
        with self._autocast():
            return torch.cat([compute(self._normalise(part)).float() for part in torch.split(images, 1000)])

    def fork(self) -> "ClassificationLearner":
        """A second learner in the same state, sharing the data."""
        twin = ClassificationLearner(self.config, self.dataset, self.seed)
        twin.restore(self.snapshot())
        return twin
