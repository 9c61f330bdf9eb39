"""What weighting costs: a training step under a learned kind of rule, over a plain step of the same learner.

And both over a loop written by hand in plain PyTorch. One stage is timed, with all that the learner does in it:
features, memory of samples, statistics.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from torch.nn import functional

from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import ROUNDS, least, seconds
from envs.digits import FEATURES, digits_task
from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import build_optimiser, learning_rate
from law_rl.counters import torch_generator
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Dataset, Split, channel_statistics, normalise
from law_rl.data.sources import load_dataset
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import LinearTanh

WEIGHTED = Directive(weighting=LinearTanh(features=FEATURES, weights=(0.5,) * len(FEATURES), bias=0.1))


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is timed."""

    rounds: int = ROUNDS
    digits_iterations: int = 76
    """Iterations of the MLP a round, batches of 64."""
    resnet_iterations: int = 2
    """Iterations of ResNet-20 a round, batches of 128; 0: leave it out."""
    out: Path = RESULTS


def digits_learner(iterations: int) -> ClassificationLearner:
    """The quickstart's learner, cut so that a stage has about `iterations`."""
    task = digits_task()
    size = len(load_dataset(task.data, 0).train)
    total = task.training.epochs * len(epoch_batches(torch.arange(size), task.training.batch_size))
    return replace(task, training=replace(task.training, stages=max(2, total // iterations))).learner(0)


def resnet_learner(iterations: int) -> ClassificationLearner:
    """ResNet-20 on random images, 4 batches of 128 an epoch, two stages of `iterations`."""
    config = ClassificationConfig(
        network=NetworkConfig(name="resnet20"),
        batch_size=128,
        epochs=max(1, iterations // 2),
        stages=2,
        features=FEATURES,
    )
    return ClassificationLearner(config, random_images(512), seed=0)


def random_images(size: int) -> Dataset:
    generator = torch_generator(0, "step cost")
    images = torch.randint(0, 256, (size, 3, 32, 32), generator=generator, dtype=torch.uint8)
    split = Split(images=images, targets=torch.randint(0, 10, (size,), generator=generator))
    mean, std = channel_statistics(images)
    names = tuple(str(label) for label in range(10))
    return Dataset(name="random", class_names=names, mean=mean, std=std, train=split, validation=split, test=split)


def staged(learner: ClassificationLearner, directive: Directive) -> Callable[[], float]:
    """Times the learner's second stage under a directive; each time from the same state."""
    snapshot = learner.snapshot()

    def measure() -> float:
        learner.restore(snapshot)
        return seconds(lambda: learner.train_stage(directive))

    return measure


def by_hand(learner: ClassificationLearner, iterations: int) -> Callable[[], float]:
    """Times as many steps in a plain loop over the same data, network, optimiser and learning rates."""
    config, dataset = learner.config, learner.dataset
    network, targets = copy.deepcopy(learner.network), dataset.train.targets
    optimiser = build_optimiser(config.optimiser, network.parameters())
    inputs = normalise(dataset.train.images, dataset.mean, dataset.std)

    def loop() -> None:
        network.train()
        done, epoch = 0, 0
        while done < iterations:
            for ids in epoch_batches(epoch_order(len(targets), 0, epoch), config.batch_size)[: iterations - done]:
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(config.optimiser, done / iterations)
                loss = functional.cross_entropy(network(inputs[ids]), targets[ids])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                done += 1
            epoch += 1

    return lambda: seconds(loop)


def measure(title: str, learner: ClassificationLearner, rounds: int) -> dict[str, float | str]:
    """Milliseconds a step by kind of step, and their ratios."""
    iterations = learner.train_stage(BASELINE).iterations
    probe = learner.fork()
    if probe.train_stage(BASELINE).iterations != iterations:
        raise ValueError(
            f"{title}: stages differ in length, so steps cannot be compared: give another number of iterations"
        )
    cases = {
        "weighted": staged(learner, WEIGHTED),
        "uniform": staged(learner, BASELINE),
        "by_hand": by_hand(learner, iterations),
    }
    times = {name: 1000 * time / iterations for name, time in least(cases, title, rounds).items()}
    return {
        "case": title,
        "iterations": iterations,
        **{f"{name}_ms": time for name, time in times.items()},
        "weighted_over_uniform": times["weighted"] / times["uniform"],
        "weighted_over_by_hand": times["weighted"] / times["by_hand"],
        "uniform_over_by_hand": times["uniform"] / times["by_hand"],
    }


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    results = [measure("MLP on digits, batch 64", digits_learner(options.digits_iterations), options.rounds)]
    if options.resnet_iterations:
        learner = resnet_learner(options.resnet_iterations)
        results.append(measure("ResNet-20 on 32x32, batch 128", learner, options.rounds))
    header = ("case", "weighted, ms", "uniform, ms", "by hand, ms", "weighted / uniform", "weighted / by hand")
    keys = ("weighted_ms", "uniform_ms", "by_hand_ms", "weighted_over_uniform", "weighted_over_by_hand")
    table = markdown_table(header, [(result["case"], *(f"{result[key]:.3f}" for key in keys)) for result in results])
    write_results(options.out, "step_cost", {"rounds": options.rounds, "results": results}, table)
    print(table)


if __name__ == "__main__":
    main()
