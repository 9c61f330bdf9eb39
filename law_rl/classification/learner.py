"""The classification learner: one network trained on one data set, stage by stage, with sample weights."""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch.nn import functional

from law_rl.classification.evaluation import classification_metrics, retrieval_metrics
from law_rl.classification.networks import NetworkConfig, build_network, seed_dropout
from law_rl.classification.optimisation import OptimiserConfig, build_optimiser, learning_rate, restore_optimiser
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig, augment
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Split, normalise
from law_rl.data.retrieval import RetrievalSplit
from law_rl.data.training_data import TrainingData
from law_rl.features import WITH_TEACHER, Batch, Features, check_feature_names
from law_rl.learner import Directive, Snapshot, SplitName, StageReport
from law_rl.observation import StageView
from law_rl.stage_weights import StageWeights
from law_rl.weigher import Weigher
from law_rl.weighting import gradient_weights

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
        if self.batch_size < 2:
            raise ValueError(f"batch_size is {self.batch_size}: give at least 2 samples, features compare them")
        if not self.stages >= 1:
            raise ValueError(f"stages is {self.stages}: give at least 1")
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}: give at least 1")

    def learner(self, dataset: TrainingData, seed: int) -> "ClassificationLearner":
        """A fresh learner that is trained so, without a teacher."""
        return ClassificationLearner(self, dataset, seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Objective:
    """What one batch is trained on: the losses [B] that sample weights act on, and losses [] of the batch as a whole.

    `batch` is what the weights are made from.
    """

    losses: torch.Tensor
    batch: Batch
    whole: tuple[torch.Tensor, ...] = ()


class ClassificationLearner:
    """Trains `dataset.train` by cross-entropy; its metric is top-1 accuracy, for retrieval mAP, in percent.

    Implements the Learner contract; data stays on the device, one host copy a stage.
    """

    anchors = 0

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Terms that directives may weight: none, there is only the cross-entropy."""
        return {}

    def __init__(self, config: ClassificationConfig, dataset: TrainingData, seed: int) -> None:
        self.config, self.seed, self.metric = config, seed, dataset.metric
        self.dataset = dataset.to(config.device)
        self.stages, self.stage = config.stages, 0
        self.feature_names = config.features
        against = [name for name in config.features if name in WITH_TEACHER and not self.anchors]
        if against:
            raise ValueError(f"features names {against[0]}, and this training has no teacher: leave it out")
        self._per_epoch = len(self._draw_batches(0))
        self._iterations = self._per_epoch * config.epochs
        if self._iterations < config.stages:
            raise ValueError(
                f"stages is {config.stages}, more than the {self._iterations} iterations: give fewer stages"
            )
        shape, classes = dataset.image_shape, dataset.classes
        self.network = build_network(
            config.network, image_shape=shape, classes=classes, seed=seed, device=config.device
        )
        if config.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._parameters = list(self.network.parameters())
        self.optimiser = build_optimiser(config.optimiser, self._parameters)
        targets = self.dataset.train.targets
        self._weigher = Weigher(
            Features(config.features, classes=classes, targets=targets, memory_decay=config.memory_decay)
        )
        self._inputs = self._kept_inputs()

    @property
    def mislabelled(self) -> torch.Tensor | None:
        """Which training labels are wrong, bool [N]; None where that is not known."""
        return self.dataset.train.mislabelled

    def train_stage(self, directive: Directive) -> StageReport:
        """Trains the next stage under the directive; ValueError when all stages are done."""
        if self.stage >= self.stages:
            raise ValueError(f"all {self.stages} stages are trained: make a new learner, or restore a snapshot")
        with deterministic_kernels(self.config.deterministic):
            report = self._train_stage(directive)
        return report

    def _train_stage(self, directive: Directive) -> StageReport:
        self._direct(directive)
        self.network.train()
        start, end = self._boundary(self.stage), self._boundary(self.stage + 1)
        batches: list[torch.Tensor] = []
        weights = StageWeights(self.mislabelled)
        for iteration in range(start, end):
            epoch, place = divmod(iteration, self._per_epoch)
            if place == 0 or not batches:
                batches = self._epoch(epoch)
            weights.add(batches[place], *self._step(batches[place], iteration))
        self._weigher.statistics.flush()
        self.stage += 1
        view = self.view()
        finite = all(map(math.isfinite, (view.ema_loss, *view.loss_quantiles)))
        failure = "" if finite else "the training loss is not finite"
        return StageReport(
            view=view,
            epoch=(end - 1) / self._per_epoch,
            epochs=self.config.epochs,
            iterations=end - start,
            failure=failure,
            weights=weights.summary(),
        )

    def _direct(self, directive: Directive) -> None:
        """Takes what is fixed during the next stage; ValueError for what this learner has not."""
        unknown = sorted(set(directive.losses) - set(self.loss_weights))
        if unknown:
            raise ValueError(
                f"the directive weights the loss {unknown[0]!r}, which this training has not: name only "
                f"{', '.join(self.loss_weights) or 'none'}"
            )
        if directive.anchor != 1.0 and not self.anchors:
            raise ValueError(f"the directive takes the teacher at {directive.anchor}, and this training has none")
        self._weigher.set_rule(directive.weighting)

    def _boundary(self, stage: int) -> int:
        return round(stage * self._iterations / self.stages)

    def _epoch(self, epoch: int) -> list[torch.Tensor]:
        if self._weigher.needs_ranking:
            self._weigher.rank(self._losses(self.dataset.train))
            self.network.train()
        return self._draw_batches(epoch)

    def _draw_batches(self, epoch: int) -> list[torch.Tensor]:
        order = epoch_order(len(self.dataset.train), self.seed, epoch, device=self.config.device)
        return epoch_batches(order, self.config.batch_size)

    def _step(self, ids: torch.Tensor, iteration: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._set_rate(learning_rate(self.config.optimiser, iteration / self._iterations))
        targets = self.dataset.train.targets.index_select(0, ids)
        if self.config.network.dropout > 0:
            seed_dropout(self.network, self.seed, self.stage, iteration)
        with self._autocast():
            objective = self._objective(self._batch_inputs(ids, iteration), targets, ids)
        weights = self._weigher.weights(objective.batch)
        for parameter in self._parameters:
            parameter.grad = None
        gradient = gradient_weights(objective.batch.losses, weights, relative=self._weigher.rule.relative)
        torch.autograd.backward((objective.losses, *objective.whole), (gradient, *(None for _ in objective.whole)))
        self.optimiser.step()
        return objective.batch.losses, weights

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

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.config.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.config.device.split(":")[0], dtype=torch.bfloat16)

    def _set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def view(self) -> StageView:
        """What a follower could know at the start of the next stage."""
        statistics, config = self._weigher.statistics, self.config.optimiser
        progress = min(self._boundary(self.stage) / self._iterations, 1.0)
        return StageView(
            stage=self.stage,
            stages=self.stages,
            lr=learning_rate(config, progress),
            lr0=config.lr,
            ema_loss=statistics.ema_loss,
            ema_weight=statistics.ema_weight,
            loss_quantiles=statistics.quantiles,
        )

    def evaluate(self, split: SplitName) -> dict[str, float]:
        """The metrics of a held-out part, in evaluation mode, in percent."""
        with deterministic_kernels(self.config.deterministic):
            return self._measure(getattr(self.dataset, split))

    def _measure(self, data: Any) -> dict[str, float]:
        """`classification_metrics` or, where identities are to be found, `retrieval_metrics`."""
        if isinstance(data, RetrievalSplit):
            return retrieval_metrics(self._embeddings(data.query.images), self._embeddings(data.gallery.images), data)
        return classification_metrics(self._logits(data), data.targets)

    def _losses(self, data: Split) -> torch.Tensor:
        return functional.cross_entropy(self._logits(data), data.targets, reduction="none")

    def _logits(self, data: Split) -> torch.Tensor:
        return self._outputs(self.network, data.images)

    def _embeddings(self, images: torch.Tensor) -> torch.Tensor:
        return self._outputs(self.network.embed, images)

    @torch.no_grad()
    def _outputs(self, compute: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        self.network.eval()
        with self._autocast():
            return torch.cat([compute(self._normalise(part)).float() for part in torch.split(images, 1000)])

    def snapshot(self) -> Snapshot:
        """The stage reached, network (buffers too), optimiser, memory and statistics, as copies."""
        parts = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        return {"stage": self.stage, **copy_tree(parts), "weigher": self._weigher.state_dict()}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data and seed, bit for bit."""
        snapshot = copy_tree(snapshot)
        self.stage = snapshot["stage"]
        self.network.load_state_dict(snapshot["network"])
        restore_optimiser(self.optimiser, snapshot["optimiser"])
        self._weigher.load_state_dict(snapshot["weigher"])

    def fork(self) -> "ClassificationLearner":
        """A second learner in the same state, sharing the data."""
        twin = ClassificationLearner(self.config, self.dataset, self.seed)
        twin.restore(self.snapshot())
        return twin


@contextlib.contextmanager
def deterministic_kernels(active: bool) -> Any:
    """Within it, torch uses repeatable kernels where `active`; the setting before is put back after."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(active or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def copy_tree(tree: Any) -> Any:
    """A copy of nested mappings and lists in which every tensor is cloned."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().clone()
    if isinstance(tree, Mapping):
        return {key: copy_tree(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [copy_tree(value) for value in tree]
    return tree
