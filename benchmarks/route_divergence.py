"""RCO's claim (arXiv 1904.09149): along the teacher's route a student gets closer to it than under it alone.

Students of the digits learn by one term of the loss, KD, hints (an embedding behind an adapter) or mimicry (an
embedding as it is), from one anchor or from several in turn, for as many epochs. Measured is the value of that term
between student and teacher in the end. Each case takes the learning rate that does best on other seeds, for training
and for validation images apart. Finished parts are kept in `results/route_divergence.json`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Literal, get_args

import torch
import tyro

from benchmarks.anchor_students import HINT_WIDTH, Led, TermName, divergence, of_constant, taught
from benchmarks.divergence_tables import ALONE, SPLITS, report
from benchmarks.running import bar
from benchmarks.tables import RESULTS, Kept
from envs.distillation import DATA, distillation_task
from law_rl.data.noise import NoiseConfig
from law_rl.distillation.anchors import equal_epoch_interval
from law_rl.distillation.route import Route
from law_rl.distillation.task import DistillationTask
from law_rl.experiment import EvaluationConfig
from law_rl.learner import SplitName

SettingName = Literal["noisy_40", "noisy_160", "clean_40", "clean_160"]
RATES = (0.003, 0.01, 0.03, 0.1)
TUNING_SEEDS = (0, 1, 2)
ANCHORS = 8


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Labels and images, and the student's epochs; `by_anchor`: all anchors of the route are measured, not the last."""

    title: str
    clean: bool
    epochs: int
    by_anchor: bool = False

    @property
    def task(self) -> DistillationTask:
        """The environment's task, or that with right labels in which the student sees all of the teacher's images."""
        task = distillation_task()
        if self.clean:
            task = replace(task, data=replace(DATA, noise=NoiseConfig()), transfer=0)
        return replace(task, training=replace(task.training, epochs=self.epochs))


SETTINGS: dict[SettingName, Setting] = {
    "noisy_40": Setting(title="noisy, 100 images, 40 epochs", clean=False, epochs=40),
    "noisy_160": Setting(title="noisy, 100 images, 160 epochs", clean=False, epochs=160, by_anchor=True),
    "clean_40": Setting(title="clean, 697 images, 40 epochs", clean=True, epochs=40, by_anchor=True),
    "clean_160": Setting(title="clean, 697 images, 160 epochs", clean=True, epochs=160),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure, and with how much work."""

    only: tuple[SettingName, ...] = get_args(SettingName)
    terms: tuple[TermName, ...] = get_args(TermName)
    seeds: int = 20
    """Unseen training seeds."""
    fresh: bool = False
    """Forget the parts that were measured before."""
    out: Path = RESULTS


def routes(route: Route) -> dict[str, Led]:
    """The ways to the converged teacher, by name."""
    four, eight = (equal_epoch_interval(route, count) for count in (4, ANCHORS))
    return {
        ALONE: Led(indices=eight[-1:]),
        "4 anchors": Led(indices=four),
        "8 anchors": Led(indices=eight),
        "4, a cycle each": Led(indices=four, cycles=True),
        "8, a cycle each": Led(indices=eight, cycles=True),
    }


def by_anchor(route: Route) -> dict[int, tuple[Led, Led]]:
    """The students of each anchor, by its epoch: of that anchor alone, and of all up to it."""
    eight = equal_epoch_interval(route, ANCHORS)
    return {
        route.epochs[index]: (Led(indices=(index,)), Led(indices=eight[: place + 1]))
        for place, index in enumerate(eight)
    }


def students(setting: Setting, route: Route) -> dict[str, Led]:
    """All that are trained in a setting, by label; two names for equal ones are trained once."""
    led = list(routes(route).values())
    if setting.by_anchor:
        led += [student for pair in by_anchor(route).values() for student in pair]
    return {student.label(route.epochs): student for student in led}


def configuration_of(name: SettingName, term: TermName, options: Options) -> tuple[object, ...]:
    return SETTINGS[name].task, SETTINGS[name].by_anchor, term, HINT_WIDTH, options.seeds, RATES, TUNING_SEEDS, ANCHORS


def measure(setting: Setting, term: TermName, options: Options) -> dict[str, Any]:
    """Divergences of all students of a term in a setting, each from the last of its anchors."""
    learner = setting.task.learner(0)
    route = learner.teacher.route
    chosen = students(setting, route)
    results = {}
    with bar(f"{setting.title}: {term}", len(chosen)) as line:
        for label, led in chosen.items():
            results[label] = measure_student(setting.task, led, term, options)
            line.show(len(results))
    pairs = by_anchor(route)
    return {
        "title": setting.title,
        "term": term,
        "students": results,
        "routes": {name: led.label(route.epochs) for name, led in routes(route).items()},
        "by_anchor": {
            str(epoch): {
                "alone": alone.label(route.epochs),
                "led": led.label(route.epochs),
                "constant": {split: of_constant(learner, term, split, alone.indices[-1]) for split in SPLITS},
            }
            for epoch, (alone, led) in (pairs.items() if setting.by_anchor else ())
        },
    }


def measure_student(task: DistillationTask, led: Led, term: TermName, options: Options) -> dict[SplitName, Any]:
    """Its learning rate, chosen on the tuning seeds, and its divergences on the unseen ones, by split."""
    tried = {rate: [ends(task, seed, led, term, rate) for seed in TUNING_SEEDS] for rate in RATES}
    rates = {split: min(RATES, key=lambda rate: mean(end[split] for end in tried[rate])) for split in SPLITS}
    seeds = EvaluationConfig(seeds=options.seeds).training_seeds
    runs = {rate: [ends(task, seed, led, term, rate) for seed in seeds] for rate in set(rates.values())}
    return {split: {"lr": rates[split], "values": [end[split] for end in runs[rates[split]]]} for split in SPLITS}


def ends(task: DistillationTask, seed: int, led: Led, term: TermName, rate: float) -> dict[SplitName, float]:
    """How far from its last anchor one student ends, by split."""
    learner = taught(task, seed, led, term, rate)
    return {split: divergence(learner, term, split, led.indices[-1]) for split in SPLITS}


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    kept = Kept(options.out, "route_divergence", fresh=options.fresh)
    configurations = {
        f"{name}/{term}": configuration_of(name, term, options) for name in SETTINGS for term in get_args(TermName)
    }
    for name in options.only:
        for term in options.terms:
            key = f"{name}/{term}"
            if not kept.has(key, configurations[key]):
                kept.put(key, measure(SETTINGS[name], term, options), configurations[key])
            current = [kept.parts[key] for key in configurations if kept.has(key, configurations[key])]
            kept.write(report(current))
    print(report([kept.parts[f"{name}/{term}"] for name in options.only for term in options.terms]))


if __name__ == "__main__":
    main()
