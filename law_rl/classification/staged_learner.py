"""What all our inner loops share: batches in counted order, stages under directives, sample weights, snapshots."""

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import nn

from law_rl.batch import Batch
from law_rl.classification.optimisation import OptimiserConfig, build_optimiser, learning_rate, restore_optimiser
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.training_data import LearnerData
from law_rl.features import Features
from law_rl.learner import Directive, Snapshot, SplitName, StageReport
from law_rl.observation import StageView
from law_rl.stage_weights import StageWeights
from law_rl.weigher import Weigher
from law_rl.weighting import gradient_weights


class StagedConfig(Protocol):
    """How a training is cut into batches and stages, and what it runs on.

    Stage k ends after round((k + 1) iterations / stages) iterations.
    """

    @property
    def optimiser(self) -> OptimiserConfig: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def stages(self) -> int: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def precision(self) -> Literal["float32", "bf16"]: ...
    @property
    def deterministic(self) -> bool: ...
    @property
    def device(self) -> str: ...


def check_staged(config: StagedConfig) -> None:
    """ValueError for a number of samples, stages or epochs that is no training."""
    if config.batch_size < 2:
        raise ValueError(f"batch_size is {config.batch_size}: give at least 2 samples, features compare them")
    if not config.stages >= 1:
        raise ValueError(f"stages is {config.stages}: give at least 1")
    if config.epochs < 1:
        raise ValueError(f"epochs is {config.epochs}: give at least 1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Objective:
    """What one batch is trained on: the losses [B] that sample weights act on, and losses [] of the batch as a whole.

    `batch` is what the weights are made from.
    """

    losses: torch.Tensor
    batch: Batch
    whole: tuple[torch.Tensor, ...] = ()


class StagedLearner(ABC):
    """One network trained on `dataset.train`, stage by stage. Subclasses build it, and say what a batch is trained on.

    Implements the Learner contract but for `fork`; data stays on the device, one host copy a stage.
    """

    config: StagedConfig
    dataset: LearnerData
    network: nn.Module
    anchors = 0

    def __init__(self, config: StagedConfig, dataset: LearnerData, seed: int) -> None:
        self.config, self.seed, self.metric = config, seed, dataset.metric
        self.dataset = dataset.to(config.device)
        self.stages, self.stage = config.stages, 0
        self.feature_names = config.features
        self._per_epoch = len(self._draw_batches(0))
        self._iterations = self._per_epoch * config.epochs
        if self._iterations < config.stages:
            raise ValueError(
                f"stages is {config.stages}, more than the {self._iterations} iterations: give fewer stages"
            )
        self.network = self._build_network()
        self._parameters = list(self.network.parameters())
        self.optimiser = build_optimiser(config.optimiser, self._parameters)
        self._weigher = Weigher(self._build_features())

    @abstractmethod
    def _build_network(self) -> nn.Module:
        """The network with the initial weights of `seed`, on the configuration's device."""

    @abstractmethod
    def _build_features(self) -> Features:
        """The features of samples that weighting rules may use."""

    @abstractmethod
    def _objective_of(self, ids: torch.Tensor, iteration: int) -> Objective:
        """What the training samples `ids` [B] are trained on; called under `precision`."""

    @abstractmethod
    def _losses_of_all(self) -> torch.Tensor:
        """The current losses [N] of the whole training set."""

    @abstractmethod
    def _measure(self, data: Any) -> dict[str, float]:
        """The metrics of one part of the data."""

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Terms of the loss that directives may weight, with the learner's own weights: none."""
        return {}

    @property
    def mislabelled(self) -> torch.Tensor | None:
        """Which training labels are wrong, bool [N]; None where that is not known."""
        return None

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
            self._weigher.rank(self._losses_of_all())
            self.network.train()
        return self._draw_batches(epoch)

    def _draw_batches(self, epoch: int) -> list[torch.Tensor]:
        order = epoch_order(len(self.dataset.train), self.seed, epoch, device=self.config.device)
        return epoch_batches(order, self.config.batch_size)

    def _step(self, ids: torch.Tensor, iteration: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._set_rate(learning_rate(self.config.optimiser, iteration / self._iterations))
        with self._autocast():
            objective = self._objective_of(ids, iteration)
        weights = self._weigher.weights(objective.batch)
        for parameter in self._parameters:
            parameter.grad = None
        gradient = gradient_weights(objective.batch.losses, weights, relative=self._weigher.rule.relative)
        torch.autograd.backward((objective.losses, *objective.whole), (gradient, *(None for _ in objective.whole)))
        self._update()
        return objective.batch.losses, weights

    def _update(self) -> None:
        self.optimiser.step()

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
        """The metrics of a part of the data, in evaluation mode."""
        with deterministic_kernels(self.config.deterministic):
            return self._measure(getattr(self.dataset, split))

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


@contextlib.contextmanager
def deterministic_kernels(active: bool) -> Any:
    """Within it, torch uses repeatable kernels where `active`; the setting before is put back after."""
    if not active or torch.are_deterministic_algorithms_enabled():
        yield
        return
    torch.use_deterministic_algorithms(True)  # imports torch's compiler, which takes a second or two
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def copy_tree(tree: Any) -> Any:
    """A copy of nested mappings and lists in which every tensor is cloned."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().clone()
    if isinstance(tree, Mapping):
        return {key: copy_tree(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [copy_tree(value) for value in tree]
    return tree
