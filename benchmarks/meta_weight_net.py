"""Meta-Weight-Net, the strongest published rival that also learns weights from clean validation data.

Shu et al., "Meta-Weight-Net: Learning an Explicit Mapping For Sample Weighting" (1902.07379). A small network maps a
sample's loss to its weight. It is learned during the one training that it weights: a virtual step of the classifier,
the loss of that virtual classifier on a meta batch, and the gradient of this loss through the step. Run as a module,
this tries a few settings on the search's seeds by validation accuracy, so that the rival is not beaten by a bad one.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import tyro
from torch import nn
from torch.nn import functional

from benchmarks.running import open_workers, run_jobs
from benchmarks.tables import RESULTS, markdown_table, write_results
from experiments.quickstart import experiment as quickstart
from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.networks import seed_dropout
from law_rl.classification.networks.layers import Linear
from law_rl.classification.optimisation import learning_rate
from law_rl.classification.task import ClassificationTask
from law_rl.counters import torch_generator
from law_rl.data.augment import augment
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Dataset, normalise
from law_rl.jobs import WorkerState
from law_rl.learner import BASELINE, SplitName
from law_rl.statistics import mean_interval
from law_rl.weighting import gradient_weights

META_WEIGHT_DECAY = 1e-4  # of the authors' released code, as is Adam


@dataclass(frozen=True, kw_only=True)
class MetaWeightNetConfig:
    """`hidden` units of the weight network, its Adam's rate `meta_lr`, and `meta_batch` validation samples a step.

    The defaults were chosen by validation accuracy on digits with 40 % noise (`python -m benchmarks.meta_weight_net`);
    the authors' are 1e-3 and 100, with meta batches as large as the others.
    """

    meta_lr: float = 3e-3
    hidden: int = 300
    meta_batch: int = 256

    def __post_init__(self) -> None:
        if not 0 < self.meta_lr < math.inf:
            raise ValueError(f"meta_lr is {self.meta_lr}: give a finite rate above 0 (0.001 is the authors')")
        if self.hidden < 1 or self.meta_batch < 1:
            raise ValueError(f"hidden is {self.hidden} and meta_batch {self.meta_batch}: give at least 1 of each")


class WeightNet(nn.Module):
    """An MLP 1-hidden-1 with ReLU and a sigmoid: from losses [B] to weights [B] in (0, 1)."""

    def __init__(self, hidden: int, seed: int) -> None:
        super().__init__()
        self.first = Linear(1, hidden)
        self.last = Linear(hidden, 1)
        generator = torch_generator(seed, "weight net")
        for layer in (self.first, self.last):
            for values in (layer.weight, layer.bias):
                nn.init.uniform_(values, -(layer.in_features**-0.5), layer.in_features**-0.5, generator=generator)

    def forward(self, losses: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(losses.unsqueeze(1)))
        return torch.sigmoid(self.last(hidden)).squeeze(1)


def meta_gradient(
    network: nn.Module,
    weight_net: WeightNet,
    losses: torch.Tensor,
    *,
    lr: float,
    inputs: torch.Tensor,
    targets: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    """The gradient of the virtual network's mean loss on (inputs, targets) by the weight network's parameters.

    The virtual network is one plain gradient step of rate `lr` away on mean(V(l) l), where `losses` [B] are the
    network's on its batch, with their graph, which is kept. The network itself, buffers included, is left alone.
    """
    weighted = (weight_net(losses.detach()) * losses).mean()
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(weighted, list(parameters.values()), create_graph=True)
    virtual = {name: value - lr * g for (name, value), g in zip(parameters.items(), gradients, strict=True)}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    logits = torch.func.functional_call(network, (virtual, buffers), (inputs,))
    loss = functional.cross_entropy(logits, targets)
    return torch.autograd.grad(loss, list(weight_net.parameters()))


class MetaWeightNetTraining:
    """A classifier's training under Meta-Weight-Net, after `warmup` stages of uniform weights.

    Initialisation, batches, augmentation, optimiser and learning rates are those of the task's learner of that seed.
    The meta set is its validation split.
    """

    def __init__(self, task: ClassificationTask, seed: int, config: MetaWeightNetConfig, *, warmup: int) -> None:
        if task.training.precision != "float32":
            raise ValueError("Meta-Weight-Net is written for float32: set precision to float32")
        self.learner: ClassificationLearner = task.learner(seed)
        self._seed, self._config, self._warmup = seed, config, warmup
        device = task.training.device
        self._weight_net = WeightNet(config.hidden, seed).to(device)
        self._optimiser = torch.optim.Adam(
            self._weight_net.parameters(), lr=config.meta_lr, weight_decay=META_WEIGHT_DECAY
        )
        assert isinstance(self.learner.dataset, Dataset)
        self._meta = self.learner.dataset.validation
        self._meta_inputs = self._normalise(self._meta.images)
        self._per_epoch = len(epoch_batches(torch.arange(len(self.learner.dataset.train)), task.training.batch_size))
        self._iterations = self._per_epoch * task.training.epochs

    def run(self) -> None:
        """Trains to the end."""
        for _ in range(self._warmup):
            self.learner.train_stage(BASELINE)
        self.learner.network.train()
        for stage, iteration, ids in self._batches():
            self._step(stage, iteration, ids)

    def _batches(self) -> Iterator[tuple[int, int, torch.Tensor]]:
        config, size = self.learner.config, len(self.learner.dataset.train)
        batches: list[torch.Tensor] = []
        for stage in range(self._warmup, config.stages):
            start, end = (round(k * self._iterations / config.stages) for k in (stage, stage + 1))
            for iteration in range(start, end):
                epoch, place = divmod(iteration, self._per_epoch)
                if place == 0 or not batches:
                    batches = epoch_batches(epoch_order(size, self._seed, epoch, config.device), config.batch_size)
                yield stage, iteration, batches[place]

    def _step(self, stage: int, iteration: int, ids: torch.Tensor) -> None:
        network, optimiser = self.learner.network, self.learner.optimiser
        lr = learning_rate(self.learner.config.optimiser, iteration / self._iterations)
        for group in optimiser.param_groups:
            group["lr"] = lr
        seed_dropout(network, self._seed, stage, iteration)
        logits = network(self._inputs(stage, iteration, ids))
        losses = functional.cross_entropy(logits, self.learner.dataset.train.targets[ids], reduction="none")
        self._meta_step(losses, lr, iteration)
        optimiser.zero_grad(set_to_none=True)
        losses.backward(gradient_weights(losses, self.weights(losses)))  # type: ignore[no-untyped-call]
        optimiser.step()

    @torch.no_grad()
    def weights(self, losses: torch.Tensor) -> torch.Tensor:
        """Weights [B] in (0, 1) of losses [B] in nats, as learned so far."""
        weights: torch.Tensor = self._weight_net(losses)
        return weights

    def _meta_step(self, losses: torch.Tensor, lr: float, iteration: int) -> None:
        generator = torch_generator(self._seed, "meta batch", iteration)
        ids = torch.randperm(len(self._meta), generator=generator)[: self._config.meta_batch].to(losses.device)
        inputs, targets = self._meta_inputs[ids], self._meta.targets[ids]
        gradients = meta_gradient(self.learner.network, self._weight_net, losses, lr=lr, inputs=inputs, targets=targets)
        for parameter, gradient in zip(self._weight_net.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()

    def _inputs(self, stage: int, iteration: int, ids: torch.Tensor) -> torch.Tensor:
        config = self.learner.config
        generator = torch_generator(self._seed, "augmentation", stage, iteration, device=config.device)
        return self._normalise(augment(self.learner.dataset.train.images[ids], config.augment, generator))

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        return normalise(images, self.learner.dataset.mean, self.learner.dataset.std)


def train_meta_weight_net(
    task: ClassificationTask, seed: int, config: MetaWeightNetConfig, *, warmup: int, split: SplitName = "test"
) -> float:
    """Accuracy on `split` in percent of a classifier trained under Meta-Weight-Net."""
    training = MetaWeightNetTraining(task, seed, config, warmup=warmup)
    training.run()
    return training.learner.evaluate(split)["accuracy"]


@dataclass(frozen=True, kw_only=True)
class MetaWeightNetJob:
    """`train_meta_weight_net` as a job of workers whose task is a classification."""

    config: MetaWeightNetConfig
    seed: int
    split: SplitName = "test"

    def run(self, worker: WorkerState) -> float:
        task, warmup = worker.setting.task, worker.setting.env.warmup
        assert isinstance(task, ClassificationTask)
        return train_meta_weight_net(task, self.seed, self.config, warmup=warmup, split=self.split)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings to try, each with each, on the seeds of the quickstart's pool; the test split is not read."""

    meta_lr: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    hidden: tuple[int, ...] = (100, 300)
    meta_batch: tuple[int, ...] = (64, 256)
    seeds: int = 5
    workers: int = 2
    """Ray workers; 0: this process."""
    out: Path = RESULTS


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    grid = itertools.product(options.meta_lr, options.hidden, options.meta_batch)
    configs = [MetaWeightNetConfig(meta_lr=rate, hidden=hidden, meta_batch=batch) for rate, hidden, batch in grid]
    seeds = quickstart.env.seeds[: options.seeds]
    jobs = {
        f"{place} {seed}": MetaWeightNetJob(config=config, seed=seed, split="validation")
        for place, config in enumerate(configs)
        for seed in seeds
    }
    with open_workers(quickstart.setting, options.workers) as workers:
        results = run_jobs(jobs, workers, "Meta-Weight-Net")
    intervals = [mean_interval([results[f"{place} {seed}"] for seed in seeds]) for place in range(len(configs))]
    rows = [(*asdict(config).values(), str(interval)) for config, interval in zip(configs, intervals, strict=True)]
    rows.sort(key=lambda row: row[-1], reverse=True)
    table = markdown_table(("meta lr", "hidden", "meta batch", "validation accuracy"), rows)
    tried = [asdict(config) | interval.to_json() for config, interval in zip(configs, intervals, strict=True)]
    write_results(options.out, "meta_weight_net", {"seeds": list(seeds), "tried": tried}, table)
    print(table)


if __name__ == "__main__":
    main()
