"""The face learner: a network trained with a margin softmax, measured by verifying faces of persons held out."""

import math
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch.nn import functional

from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.networks.layers import CosineClassifier
from law_rl.classification.staged_learner import copy_tree
from law_rl.counters import torch_generator
from law_rl.data.dataset import Split
from law_rl.data.training_data import TrainingData
from law_rl.distillation.learner import DistillationConfig, LossTerms
from law_rl.face.data.face_dataset import FaceDataset, FaceSplit
from law_rl.face.data.pair_set import PairSet
from law_rl.face.evaluation.folds import fold_accuracy
from law_rl.face.evaluation.pairs import listed_scores
from law_rl.face.evaluation.verification import verification_metrics
from law_rl.face.heads import Head, HeadConfig, build_head
from law_rl.face.heads.sampled_classes import sample_classes
from law_rl.face.relation_config import RelationConfig
from law_rl.learner import Snapshot

FACE_NETWORK = NetworkConfig(name="face_cnn", width=16, embedding=64, classifier="cosine", scale=32.0)
WITHOUT_LOGITS = (
    "loss",
    "loss_rank",
    "own_loss",
    "own_loss_in_class",
    "own_confidence",
    "own_confidence_in_class",
    "label_prior",
    "teacher_confidence",
    "teacher_cosine",
    "crowding",
)
"""Features that do not look at the student's logits of all classes."""


@dataclass(frozen=True, kw_only=True)
class FaceLossTerms(LossTerms):
    """The weights of the loss terms, those of the twin: a margin softmax over the labels (ce), those of `LossTerms`,
    and CoupleFace's (our reading): feature consistency (fcd) and relation-aware distillation (rad), with an EKD-like
    ranking of pairs (ekd) as a control.
    """

    ce: float = 1.0
    kd: float = 0.0
    fcd: float = 0.0
    rad: float = 0.0
    ekd: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FaceConfig(DistillationConfig):
    """How a face network is trained; `head` is the margin, `relation` what RAD compares.

    The network's classifier is the cosine one, as margins act on cosines. Raises ValueError for features or terms that
    sampled classes (`head.sample` below 1) leave without logits.
    """

    network: NetworkConfig = FACE_NETWORK
    features: tuple[str, ...] = ("centre_cosine", "margin")
    losses: FaceLossTerms = field(default_factory=FaceLossTerms)
    head: HeadConfig = field(default_factory=HeadConfig)
    relation: RelationConfig = field(default_factory=RelationConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network.classifier != "cosine":
            raise ValueError(
                f"network.classifier is {self.network.classifier!r}: use cosine, the margins of faces act on cosines"
            )
        if self.head.sample < 1:
            self._check_sampled()

    def _check_sampled(self) -> None:
        unseen = [name for name in self.features if name not in WITHOUT_LOGITS]
        if unseen:
            raise ValueError(
                f"features names {unseen[0]}, which looks at all classes, and head.sample is {self.head.sample}: name "
                f"some of {', '.join(WITHOUT_LOGITS)}, or sample all classes"
            )
        if self.losses.kd:
            raise ValueError(
                f"losses.kd is {self.losses.kd} and head.sample {self.head.sample}: KD compares all classes, leave out "
                "one of the two"
            )

    def learner(self, dataset: TrainingData, seed: int) -> "FaceLearner":
        """A fresh learner that is trained on the labels alone, without a teacher."""
        return FaceLearner(self, dataset, seed)


class FaceLearner(ClassificationLearner):
    """Trains on the labels by a margin softmax; its metric is the TAR at the data's false acceptance rate, in percent.

    The losses [B] that samples are weighted on are those with the margin; features see the logits without it.
    """

    config: FaceConfig
    dataset: FaceDataset
    _iteration = 0

    @cached_property
    def _head(self) -> Head:
        return build_head(self.config.head).to(self.config.device)

    @property
    def _classifier(self) -> CosineClassifier:
        assert isinstance(self.network.classifier, CosineClassifier)
        return self.network.classifier

    def _step(self, ids: torch.Tensor, iteration: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._iteration = iteration
        return super()._step(ids, iteration)

    def _label_losses(self, embedding: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The losses [B] with the margin, and the logits [B, C] without; of sampled classes [B, M]."""
        kept = None
        if self.config.head.sample < 1:
            generator = torch_generator(self.seed, "sampled classes", self._iteration, device=self.config.device)
            kept, targets = sample_classes(targets, self._classifier.out_features, self.config.head.sample, generator)
        cosines = self._classifier.cosines(embedding, kept)
        margins = self._head(cosines, targets, embedding.float().norm(dim=1))
        losses = functional.cross_entropy(self._classifier.scale * margins, targets, reduction="none")
        return losses, self._classifier.scale * cosines

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Embeddings float32 [N, D] of images uint8 [N, C, S, S], in evaluation mode."""
        return self._embeddings(images)

    def _measure(self, data: Split | FaceSplit) -> dict[str, float]:
        """`verification_metrics` of a held-out part, and the accuracy on its official pairs, in percent; of the
        training part `classification_metrics`. NaN where an embedding is not finite.
        """
        if isinstance(data, Split):
            return super()._measure(data)
        rates = verification_metrics(
            self._embeddings(data.faces.images),
            data.faces.targets,
            fars=self.dataset.fars,
            masked=None if data.masked is None else self._embeddings(data.masked),
        )
        return rates if data.protocol is None else {**rates, "accuracy": self._accuracy(data.protocol)}

    def _accuracy(self, protocol: PairSet) -> float:
        embeddings = self._embeddings(protocol.images)
        if not embeddings.isfinite().all():
            return math.nan
        scores = listed_scores(embeddings, protocol.pairs)
        return 100.0 * fold_accuracy(scores, protocol.same.cpu().numpy(), protocol.fold.cpu().numpy()).mean

    def snapshot(self) -> Snapshot:
        """As a classifier's, with what the head keeps of its training."""
        return {**super().snapshot(), "head": copy_tree(self._head.state_dict())}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data and seed, bit for bit."""
        super().restore(snapshot)
        self._head.load_state_dict(snapshot["head"])

    def fork(self) -> "FaceLearner":
        """A second learner in the same state, sharing the data."""
        twin = FaceLearner(self.config, self.dataset, self.seed)
        twin.restore(self.snapshot())
        return twin
