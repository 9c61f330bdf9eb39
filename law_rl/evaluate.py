"""Evaluation: schedules against hand-made baselines on seeds that no search has seen, with paired statistics."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from law_rl.actions import check_offered
from law_rl.experiment import Experiment
from law_rl.files import write_json
from law_rl.jobs import Curriculum, TrainingJob, Workers
from law_rl.learner import Directive, Learner
from law_rl.sample_memory import REMEMBERING
from law_rl.schedule import Schedule
from law_rl.statistics import Interval, mean_interval

LEARNED, UNIFORM, ORACLE = "learned", "uniform", "oracle"


@dataclass(frozen=True, kw_only=True)
class Follow:
    """The curriculum of a schedule."""

    schedule: Schedule
    name: str = LEARNED
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return self.schedule.directive(learner.view())


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Test metrics in points: one value a curriculum and training seed, in the order of `seeds`.

    Gains are measured over the curriculum `over`, which trains as the twin does.
    """

    metric: str
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]
    over: str = UNIFORM

    def interval(self, name: str) -> Interval:
        return mean_interval(self.values[name])

    def gain(self, name: str, over: str = "") -> Interval:
        """The paired difference of two curricula, in points."""
        return mean_interval([a - b for a, b in zip(self.values[name], self.values[over or self.over], strict=True)])

    def gap_closed(self, name: str = LEARNED) -> float | None:
        """(name - over) / (oracle - over) of the means; None where no oracle is known or it gains nothing."""
        if ORACLE not in self.values:
            return None
        ceiling = self.gain(ORACLE).mean
        return self.gain(name).mean / ceiling if ceiling > 0 else None

    def to_json(self) -> dict[str, Any]:
        """The entries of result.json that an evaluation fills."""
        schedules = {name: self.interval(name).to_json() | {"values": list(v)} for name, v in self.values.items()}
        gain = {"over": self.over} | self.gain(LEARNED).to_json()
        return {
            "metric": self.metric,
            "seeds": list(self.seeds),
            "schedules": schedules,
            "gain": gain,
            "gap_closed": self.gap_closed(),
        }


def evaluate(
    experiment: Experiment,
    curricula: Sequence[Curriculum],
    workers: Workers,
    *,
    observer: Callable[[int, int], None],
    checkpoint: Path | None = None,
) -> Evaluation:
    """Trains every curriculum on every evaluation seed; `observer(done, total)` is called after each training.

    With a `checkpoint`, finished trainings are kept in that JSON file and not run again.
    """
    seeds = experiment.evaluation.training_seeds
    results = _kept(checkpoint, experiment)
    wanted = {_key(curriculum, seed): (curriculum, seed) for curriculum in curricula for seed in seeds}
    for key, (curriculum, seed) in wanted.items():
        if key not in results:
            workers.submit(key, TrainingJob(curriculum=curriculum, seed=seed))
    for key, metric in workers.results():
        results[key] = metric
        if checkpoint is not None:
            write_json(checkpoint, {"setting": repr(experiment.setting), "results": results})
        observer(len(results.keys() & wanted.keys()), len(wanted))
    values = {c.name: tuple(results[_key(c, seed)] for seed in seeds) for c in curricula}
    return Evaluation(metric=experiment.task.metric, seeds=seeds, values=values, over=experiment.reference)


def _key(curriculum: Curriculum, seed: int) -> str:
    identity = curriculum.schedule.hash if isinstance(curriculum, Follow) else repr(curriculum)
    return f"{identity} seed {seed}"


def _kept(checkpoint: Path | None, experiment: Experiment) -> dict[str, float]:
    if checkpoint is None or not checkpoint.is_file():
        return {}
    kept = json.loads(checkpoint.read_text(encoding="utf-8"))
    results: dict[str, float] = kept["results"] if kept["setting"] == repr(experiment.setting) else {}
    return results


def check_fits(schedule: Schedule, experiment: Experiment) -> None:
    """ValueError where the experiment's training does not offer what the schedule sets."""
    features, task = schedule.action.features, experiment.task
    if schedule.needs_validation:
        raise ValueError("the schedule looks at validation data, which an evaluation does not show: learn one without")
    try:
        check_offered(schedule.action, task.learner(experiment.env.first_seed))
    except ValueError as error:
        raise ValueError(f"the schedule does not fit {experiment.name}: {error}") from error
    if schedule.memory_decay != task.memory_decay and any(name in REMEMBERING for name in features):
        raise ValueError(
            f"the schedule remembers samples with decay {schedule.memory_decay}, {experiment.name} with "
            f"{task.memory_decay}: add --task.training.memory-decay {schedule.memory_decay}"
        )


def applicable(baselines: Sequence[Curriculum], experiment: Experiment) -> list[Curriculum]:
    """The baselines that the data allows: those that must know which labels are wrong only where that is known."""
    known = experiment.task.learner(experiment.evaluation.training_seeds[0]).mislabelled is not None
    return [baseline for baseline in baselines if known or not baseline.needs_mislabelled]
