"""Tuning on Ray Tune: many policy searches side by side, each in a placement group of its own."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle, tune

from law_rl.cluster.placement import Bundle, bundle, check_fits, cluster_nodes
from law_rl.cluster.schedulers import METRIC, Algorithm, check_algorithm, optuna_searcher, scheduler
from law_rl.cluster.session import start_ray
from law_rl.cluster.storage import Storage, check_shared
from law_rl.cluster.trial import RECORD, SCHEDULE, Plan, fields_of, run_trial
from law_rl.experiment import Experiment
from law_rl.resources import Resources
from law_rl.trials import Report, Trial, best, from_record, trial_name
from law_rl.tuning import Fields, Space, with_fields

RETRIES = 3
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""Ray Tune's settings: nothing printed, no files beside our own, the working directory left alone."""

Observer = Callable[[Sequence[Trial]], None]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What is tuned and how. `trials` configurations, drawn by `seed`; each search has `workers` workers of `resources`
    (0: it runs in the trial's own process, which has them).
    """

    experiment: Experiment
    space: Space
    algorithm: Algorithm = "random"
    trials: int = 8
    seed: int = 0
    workers: int = 1
    resources: Resources

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials is {self.trials}: give at least 1")
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}: give at least 1, or 0 to search in the trial's own process")
        if self.workers == 0 and (self.resources.memory or self.resources.gpu_memory):
            raise ValueError("memory and gpu_memory limit workers: give --workers 1 or more")
        check_algorithm(self.algorithm, self.space)
        self.space.check(self.experiment)
        for fields in self.configurations():
            try:
                with_fields(self.experiment, fields)
            except ValueError as error:
                raise ValueError(f"the space holds {fields}, which is no experiment: {error}") from error

    def configurations(self) -> list[Fields]:
        """The configurations of all trials, as far as they are known beforehand; those that Optuna draws are not."""
        if self.algorithm == "optuna":
            return []
        return self.space.grid() if self.algorithm == "grid" else self.space.draw(self.trials, self.seed)

    @property
    def total(self) -> int:
        """How many trials there are."""
        return len(self.configurations()) or self.trials

    @property
    def of_each(self) -> Resources:
        """The resources of each worker; on CUDA, where no GPUs are named, a trial's workers share one."""
        if self.resources.gpus is not None or not self.experiment.task.device.startswith("cuda"):
            return self.resources
        return replace(self.resources, gpus=1 / max(self.workers, 1))

    def bundles(self) -> list[Bundle]:
        """What one trial asks of the cluster; with workers, the trial's own process asks nothing."""
        return [bundle(self.of_each)] * max(self.workers, 1)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The end of a tuning: all trials, and the best one with its schedule's file."""

    trials: list[Trial]
    best: Trial
    schedule: bytes


def run_tuning(tuning: Tuning, storage: str, *, root: Path, observer: Observer) -> Tuned:
    """Runs all trials that are not finished yet, and tells which is best.

    `storage` is a directory or URI that holds a folder for each trial: a second call with the same tuning goes on from
    there, whatever stopped the first. Ray's own record of the experiment is never read: the folders hold all that is
    needed, and schedulers hear again what they have heard. `observer` is called after every report.
    """
    place = Storage(storage)
    place.check_writable()
    with _ray_for_tuning(tuning):
        _check(tuning, place)
        record = _Record(tuning, observer)
        _tuner(tuning, place, root, record).fit()
    for trial in record.trials:
        if trial.status == "finished":  # until now another trial may have gone on from it
            (place / trial.name).delete_folders()
    chosen = best(record.trials)
    schedule = (place / chosen.name).read(SCHEDULE)
    if schedule is None:
        raise FileNotFoundError(f"{place.uri}/{chosen.name} has lost its {SCHEDULE}: delete that folder and --resume")
    return Tuned(trials=record.trials, best=chosen, schedule=schedule)


@contextmanager
def _ray_for_tuning(tuning: Tuning) -> Iterator[None]:
    """A Ray for the block: the one that this process is in, that at RAY_ADDRESS, or one with all CPUs it may use."""
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET)
    for name in ("ray.tune", "ray.train", "ray.air", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    owns = not ray.is_initialized()
    try:
        if owns:
            start_ray(len(os.sched_getaffinity(0)))
        yield
    finally:
        if owns:
            ray.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _check(tuning: Tuning, place: Storage) -> None:
    if not tuning.resources.elastic:
        who = f"the {tuning.workers} workers of a trial" if tuning.workers else "a trial's process"
        check_fits(tuning.bundles(), cluster_nodes(), who)
    check_shared(place)


def _tuner(tuning: Tuning, place: Storage, root: Path, record: "_Record") -> tune.Tuner:
    configurations = tuning.configurations()
    plan = Plan(
        experiment=cloudpickle.dumps(tuning.experiment),  # type: ignore[no-untyped-call]
        fields=tuple(configurations),
        storage=place.uri,
        root=str(root),
        workers=tuning.workers,
        resources=tuning.of_each,
        replay=tuning.algorithm != "pbt",
    )
    bundles = tuning.bundles() if tuning.workers == 0 else [{"CPU": 0.0}, *tuning.bundles()]
    request = tune.PlacementGroupFactory(bundles, strategy=tuning.resources.placement.upper())
    above, name = place.split()
    return tune.Tuner(
        tune.with_resources(tune.with_parameters(run_trial, plan=plan), request),
        param_space={"number": tune.grid_search(list(range(len(configurations))))} if configurations else {},
        tune_config=_tune_config(tuning, place, plan),
        run_config=tune.RunConfig(
            name=name,
            storage_path=above,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=None if tuning.algorithm == "pbt" else 2),
            callbacks=[record],
            verbose=0,
        ),
    )


def _tune_config(tuning: Tuning, place: Storage, plan: Plan) -> tune.TuneConfig:
    def name_of(trial: Any) -> str:
        return trial_name(trial.config["number"], fields_of(trial.config, plan))

    searches = tuning.algorithm == "optuna"
    return tune.TuneConfig(
        metric=METRIC,
        mode="max",
        scheduler=scheduler(tuning.algorithm, tuning.space, tuning.experiment, seed=tuning.seed),
        search_alg=optuna_searcher(tuning.space, seed=tuning.seed, known=_known(place)) if searches else None,
        num_samples=tuning.trials if searches else 1,
        max_concurrent_trials=None if tuning.algorithm == "pbt" else at_once(tuning),
        reuse_actors=True,
        trial_name_creator=name_of,
        trial_dirname_creator=name_of,
    )


def at_once(tuning: Tuning) -> int:
    """How many trials the cluster holds at a time, at least one."""
    asked, *others = tuning.bundles()
    places = [
        min(int(node.get(name, 0.0) / amount + 1e-6) for name, amount in asked.items() if amount)
        for node in cluster_nodes()
    ]
    return max(sum(places) // (1 + len(others)), 1)


def _known(place: Storage) -> list[Fields]:
    """The configurations of the trials that the storage holds, in their order."""
    records = {name: (place / name).read(RECORD) for name in place.folders()}
    return [from_record(content)[0].fields for name, content in sorted(records.items()) if content is not None]


class _Record(tune.Callback):
    """What trials report, as it comes; not kept when Ray pickles it."""

    def __init__(self, tuning: Tuning, observer: Observer) -> None:
        self._configurations = tuning.configurations()
        self._observer = observer
        self._trials: dict[str, Trial] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return tune.Callback, ()

    @property
    def trials(self) -> list[Trial]:
        """All trials that were begun, by name."""
        return [self._trials[name] for name in sorted(self._trials)]

    def _trial(self, trial: Any) -> Trial:
        name = trial.custom_dirname
        config = trial.config
        fields = config["fields"] if "fields" in config else self._configurations[config["number"]]
        return self._trials.setdefault(name, Trial(name=name, fields=dict(fields)))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        entry = self._trial(trial)
        report = Report(episodes=result["episodes"], gain=result["gain"], failure=result["failure"])
        entry.curve = [*(kept for kept in entry.curve if kept.episodes < report.episodes), report]
        entry.fields, entry.status = dict(result["fields"]), result["status"]
        entry.error = result["failure"] if entry.status == "failed" else ""
        self._observer(self.trials)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        entry = self._trial(trial)
        if entry.status == "running":
            entry.status = "stopped"
            self._observer(self.trials)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        entry = self._trial(trial)
        entry.status, entry.error = "error", last_line(trial.error_file)
        self._observer(self.trials)


def last_line(path: str | None) -> str:
    """What a trial's error says, without the trace that Ray puts before it; `path` is the file where Ray wrote it."""
    if path is None or not Path(path).is_file():
        return "it ended without an error of its own"
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1][:300]
