"""What correlation congruence adds to a training step of ResNet-20 that distils a ResNet-56.

A step under KD alone against one under KD and the congruence of the 64-dimensional embeddings (rbf kernel), and the
loss by itself, forward and backward. The teacher's outputs on the whole set are kept, or the teacher forwards every
batch, as it must where images are augmented. Images are random, and both networks untrained. Times are CPU times of one
thread, in which other work on the machine counts little.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from benchmarks.step_cost import random_images
from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import least
from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import Dataset, normalise
from law_rl.distillation.congruence import correlation_congruence_loss
from law_rl.distillation.greedy import KD_ALONE
from law_rl.distillation.learner import DistillationConfig, DistillationLearner
from law_rl.distillation.route import Route, RouteWriter
from law_rl.distillation.teacher import teacher_network
from law_rl.distillation.teacher_outputs import TeacherOutputs
from law_rl.learner import Directive

STUDENT, TEACHER = NetworkConfig(name="resnet20"), NetworkConfig(name="resnet56")
WIDTH = 64
"""Of the embedding of both."""
KD = Directive(losses=KD_ALONE)
KD_CC = Directive(losses={**KD_ALONE, "cc": 3.0})
STEPS = {"kd": KD, "kd_cc": KD_CC, "kd_again": KD}
"""The last tells how far the times of equal steps differ."""
AUGMENT = AugmentConfig(flip=True, crop=4)
MUST, AIM = 5.0, 2.0
"""Percent of a step that the loss may take, and should."""
CALLS = 50
"""Calls of the loss by itself in one measurement."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is timed."""

    batches: tuple[int, ...] = (128, 64)
    rounds: int = 30
    iterations: int = 1
    """Training steps in one measurement."""
    out: Path = RESULTS


def untrained_route(directory: Path, network: NetworkConfig, dataset: Dataset) -> Route:
    """A route of one anchor, the network's initial values."""
    described, data = teacher_network(network, dataset), dataset.content_hash()
    writer = RouteWriter(directory, network=described, data=data, every=1, epochs=1)
    writer.save(1, build_network(network, image_shape=dataset.image_shape, classes=dataset.classes, seed=0), None)
    return writer.route


def learner_of(
    dataset: Dataset,
    route: Route,
    *,
    batch: int,
    iterations: int,
    augmented: bool,
    networks: tuple[NetworkConfig, NetworkConfig] = (STUDENT, TEACHER),
) -> DistillationLearner:
    """A student that has trained the first of two stages of so many iterations each; `networks`: its own, teacher's."""
    per_epoch = len(dataset.train) // batch
    config = DistillationConfig(
        network=networks[0],
        batch_size=batch,
        epochs=max(1, 2 * iterations // per_epoch),
        stages=2,
        augment=AUGMENT if augmented else AugmentConfig(),
    )
    teacher = TeacherOutputs(
        route,
        lambda: build_network(networks[1], image_shape=dataset.image_shape, classes=dataset.classes, seed=0),
        "cpu",
        inputs=None if augmented else normalise(dataset.train.images, dataset.mean, dataset.std),
    )
    learner = DistillationLearner(config, dataset, 0, teacher)
    done = learner.train_stage(KD).iterations
    if done != iterations:
        raise ValueError(f"a stage has {done} iterations, not {iterations}: give images for whole epochs of two stages")
    return learner


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time that a call takes in this thread."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def staged(learner: DistillationLearner, directive: Directive) -> Callable[[], float]:
    """Times the learner's second stage under a directive; each time from the same state."""
    snapshot = learner.snapshot()

    def measure() -> float:
        learner.restore(snapshot)
        return cpu_seconds(lambda: learner.train_stage(directive))

    return measure


def loss_alone(batch: int) -> Callable[[], float]:
    """Times calls of the loss, forward and backward."""
    generator = torch_generator(0, "congruence step", batch)
    student, teacher = torch.randn(2, batch, WIDTH, generator=generator)
    student.requires_grad_()

    def calls() -> None:
        for _ in range(CALLS):
            student.grad = None
            correlation_congruence_loss(student, teacher).backward()  # type: ignore[no-untyped-call]

    return lambda: cpu_seconds(calls)


def cases_of(options: Options, directory: Path) -> dict[str, Callable[[], float]]:
    cases: dict[str, Callable[[], float]] = {}
    for batch in options.batches:
        dataset = random_images(2 * options.iterations * batch)
        route = untrained_route(directory / str(batch), TEACHER, dataset)
        for teacher in ("kept", "forwarded"):
            learner = learner_of(
                dataset, route, batch=batch, iterations=options.iterations, augmented=teacher == "forwarded"
            )
            for name, directive in STEPS.items():
                cases[f"{batch}/{teacher}/{name}"] = staged(learner, directive)
        cases[f"{batch}/loss"] = loss_alone(batch)
    return cases


def summarise(times: dict[str, float], options: Options) -> list[dict[str, Any]]:
    """Milliseconds a step and percent of one, by batch and teacher, from the seconds of measurements."""
    results = []
    for batch in options.batches:
        loss = 1000 * times[f"{batch}/loss"] / CALLS
        for teacher in ("kept", "forwarded"):
            steps = {name: 1000 * times[f"{batch}/{teacher}/{name}"] / options.iterations for name in STEPS}
            over_kd = {f"{name}_added_percent": 100 * (steps[name] / steps["kd"] - 1) for name in ("kd_cc", "kd_again")}
            milliseconds = {f"{name}_ms": step for name, step in steps.items()} | {"loss_ms": loss}
            share = {"loss_percent": 100 * loss / steps["kd"]}
            results.append({"batch": batch, "teacher": teacher, **milliseconds, **over_kd, **share})
    return results


def report(results: Sequence[dict[str, Any]], options: Options) -> str:
    header = (
        "batch",
        "teacher's outputs",
        "KD, ms",
        "KD + CC, ms",
        "added",
        "KD again",
        "the loss alone, ms",
        "of a KD step",
    )
    rows = [
        (
            r["batch"],
            r["teacher"],
            f"{r['kd_ms']:.1f}",
            f"{r['kd_cc_ms']:.1f}",
            f"{r['kd_cc_added_percent']:+.2f} %",
            f"{r['kd_again_added_percent']:+.2f} %",
            f"{r['loss_ms']:.3f}",
            f"{r['loss_percent']:.2f} %",
        )
        for r in results
    ]
    loss, added = (max(r[name] for r in results) for name in ("loss_percent", "kd_cc_added_percent"))
    again = max(abs(r["kd_again_added_percent"]) for r in results)
    text = (
        f"CPU time of one thread, the least of {options.rounds} rounds that take turns. By itself the loss takes at "
        f"most {loss:.2f} % of a step: {_held(loss)}. Whole steps with it take at most {added:+.2f} % longer: "
        f"{_held(added)}. Twice the same step, `KD` and `KD again`, differ by up to {again:.2f} %."
    )
    return f"{markdown_table(header, rows)}\n\n{text}"


def _held(percent: float) -> str:
    if percent > MUST:
        return f"above the limit of {MUST:.0f} %"
    return f"within the {f'aim of {AIM:.0f}' if percent <= AIM else f'limit of {MUST:.0f}'} %"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        times = least(cases_of(options, Path(directory)), "steps of ResNet-20", options.rounds)
    results = summarise(times, options)
    text = report(results, options)
    measured = {"rounds": options.rounds, "iterations": options.iterations, "results": results}
    write_results(options.out, "congruence_step", measured, text)
    print(text)


if __name__ == "__main__":
    main()
