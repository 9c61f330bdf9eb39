"""The classification learner: one network trained on one data set, stage by stage, with sample weights."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch.nn import functional

from law_rl.classification.networks import NetworkConfig, build_network, seed_dropout
from law_rl.classification.optimisation import OptimiserConfig, build_optimiser, learning_rate
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig, augment
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Dataset, Split, normalise
from law_rl.features import Batch, Features, check_feature_names
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


class ClassificationLearner:
    """Trains `dataset.train` by cross-entropy; its metric is top-1 accuracy in percent.

    Implements the Learner contract; data stays on the device, one host copy a stage.
    """

    metric = "accuracy"

    def __init__(self, config: ClassificationConfig, dataset: Dataset, seed: int) -> None:
        self.config, self.seed = config, seed
        self.dataset = dataset.to(config.device)
        self.stages, self.stage = config.stages, 0
        self.feature_names = config.features
        self._per_epoch = len(epoch_batches(torch.arange(len(dataset.train)), config.batch_size))
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
        self._weigher.set_rule(directive.weighting)
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

    def _boundary(self, stage: int) -> int:
        return round(stage * self._iterations / self.stages)

    def _epoch(self, epoch: int) -> list[torch.Tensor]:
        size, device = len(self.dataset.train), self.config.device
        if self._weigher.needs_ranking:
            self._weigher.rank(self._losses(self.dataset.train))
            self.network.train()
        return epoch_batches(epoch_order(size, self.seed, epoch, device=device), self.config.batch_size)

    def _step(self, ids: torch.Tensor, iteration: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._set_rate(learning_rate(self.config.optimiser, iteration / self._iterations))
        targets = self.dataset.train.targets.index_select(0, ids)
        if self.config.network.dropout > 0:
            seed_dropout(self.network, self.seed, self.stage, iteration)
        with self._autocast():
            logits = self.network(self._batch_inputs(ids, iteration))
        losses = functional.cross_entropy(logits.float(), targets, reduction="none")
        batch = Batch(losses=losses.detach(), logits=logits.detach(), targets=targets, ids=ids)
        weights = self._weigher.weights(batch)
        for parameter in self._parameters:
            parameter.grad = None
        gradient = gradient_weights(batch.losses, weights, relative=self._weigher.rule.relative)
        losses.backward(gradient)  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return batch.losses, weights

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
        return None if config.flip or config.crop or large else self._normalise(images)

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
        """Top-1 accuracy in percent and mean loss in nats, in evaluation mode."""
        data: Split = getattr(self.dataset, split)
        with deterministic_kernels(self.config.deterministic):
            logits = self._logits(data)
        correct = (logits.argmax(dim=1) == data.targets).double().mean()
        loss = functional.cross_entropy(logits, data.targets)
        return {"accuracy": 100.0 * correct.item(), "loss": loss.item()}

    def _losses(self, data: Split) -> torch.Tensor:
        return functional.cross_entropy(self._logits(data), data.targets, reduction="none")

    @torch.no_grad()
    def _logits(self, data: Split) -> torch.Tensor:
        self.network.eval()
        with self._autocast():
            return torch.cat([self.network(self._normalise(part)).float() for part in torch.split(data.images, 1000)])

    def snapshot(self) -> Snapshot:
        """The stage reached, network (buffers too), optimiser, memory and statistics, as copies."""
        parts = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        return {"stage": self.stage, **copy_tree(parts), "weigher": self._weigher.state_dict()}

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot of a learner with the same configuration, data and seed, bit for bit."""
        snapshot = copy_tree(snapshot)
        self.stage = snapshot["stage"]
        self.network.load_state_dict(snapshot["network"])
        self.optimiser.load_state_dict(snapshot["optimiser"])
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
