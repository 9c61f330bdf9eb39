"""Making a table: searches first, then every row on every seed, each finished training kept as soon as it is done."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import law_rl
from law_rl.actions import check_offered
from law_rl.evaluate import Follow
from law_rl.experiment import Experiment
from law_rl.files import write_json
from law_rl.jobs import MeasureJob, Measurement, Setting, Workers
from law_rl.learner import Learner, Task
from law_rl.observation import ENTRIES
from law_rl.progress import Progress
from law_rl.run import RunError, resolved, write_episodes, write_stages
from law_rl.sample_memory import REMEMBERING
from law_rl.schedule import Schedule
from law_rl.search import Search
from law_rl.stage_env import StageEnvConfig
from law_rl.table import Learned, Row, Table
from law_rl.table_result import TableResult, check_metrics, configuration
from law_rl.trials import seal

OpenWorkers = Callable[[Setting], AbstractContextManager[Workers]]
"""Opens workers for all jobs of a setting."""
CONFIG = "config.json"


def make_table(table: Table, directory: Path, *, open_workers: OpenWorkers, progress: Progress) -> TableResult:
    """Trains what is missing in the run directory and returns what the table found.

    Finished trainings are kept in `directory`/checkpoints and known again by the version of law-rl, the task, the
    curriculum and the seed; rows and seeds may be added to a run, and a row that was changed is trained anew. Searches
    are kept in `directory`/searches.

    Raises RunError for the directory of another table, ValueError for rows that cannot be trained, found before the
    first training, and JobFailed.
    """
    _claim(directory, table)
    return _TableRun(table, directory, open_workers, progress).run()


def _claim(directory: Path, table: Table) -> None:
    """Notes what the directory is for; RunError where it is of something else."""
    path = directory / CONFIG
    if path.is_file() and (other := json.loads(path.read_text(encoding="utf-8")).get("table")) != table.name:
        what = f"the table {other}" if other else "a run that is no table"
        raise RunError(f"{directory} holds {what}, not {table.name}: give another --out")
    rows = {
        row.name: {"over": row.over, "task": configuration(row.task), "curriculum": configuration(row.curriculum)}
        for row in table.rows
    }
    write_json(path, {"table": table.name, "seeds": list(table.seeds), "rows": rows, "law_rl": law_rl.__version__})


class _TableRun:
    """A table being made in a run directory."""

    def __init__(self, table: Table, directory: Path, open_workers: OpenWorkers, progress: Progress) -> None:
        self._table, self._directory = table, directory
        self._open_workers, self._progress = open_workers, progress
        self._kept = KeptMeasurements(directory / "checkpoints" / "measurements.json")
        self._schedules: dict[str, Schedule] = {}
        for row in table.rows:
            if isinstance(row.curriculum, Learned) and (path := self._schedule_path(row.curriculum)).is_file():
                self._schedules[row.name] = Schedule.load(path)

    def run(self) -> TableResult:
        rows = [row for row in self._table.rows if self._missing(row)]
        self._prepare(rows)
        for row in rows:
            check_row(row, self._table)
        for row in rows:
            if isinstance(row.curriculum, Learned) and row.name not in self._schedules:
                self._schedules[row.name] = self._search(row.name, row.curriculum)
        self._train(rows)
        measured = {
            row.name: tuple(self._kept.measurements[self._key(row, seed)] for seed in self._table.seeds)
            for row in self._table.rows
        }
        return TableResult(table=self._table, measured=measured, schedules=self._schedules)

    def _missing(self, row: Row) -> list[int]:
        """The seeds that a row has yet to be trained on."""
        searched = not isinstance(row.curriculum, Learned) or row.name in self._schedules
        kept = self._kept.measurements if searched else {}
        return [seed for seed in self._table.seeds if self._key(row, seed) not in kept]

    def _key(self, row: Row, seed: int) -> str:
        schedule = self._schedules.get(row.name)
        return digest(law_rl.__version__, row.task, schedule.hash if schedule else row.curriculum, seed)

    def _prepare(self, rows: Sequence[Row]) -> None:
        """Prepares every task once, those of searches to come too."""
        tasks: dict[str, tuple[str, Task]] = {}
        for row in rows:
            tasks.setdefault(repr(row.task), (row.name, row.task))
            if isinstance(row.curriculum, Learned) and row.name not in self._schedules:
                searched = row.curriculum.experiment.task
                tasks.setdefault(repr(searched), (f"the search for {row.name}", searched))
        for name, task in tasks.values():
            task.prepare(partial(self._progress.preparation, name))

    def _schedule_path(self, learned: Learned) -> Path:
        experiment = learned.experiment
        name = f"{experiment.name}-{digest(seal(experiment))[:8]}"
        return self._directory / "searches" / name / "schedule.safetensors"

    def _search(self, name: str, learned: Learned) -> Schedule:
        """The schedule of a learned row; rows that name the same search share it."""
        path, experiment = self._schedule_path(learned), learned.experiment
        if not path.is_file():
            observer = partial(self._progress.search, name=f"search for {name}")
            with self._open_workers(experiment.setting) as workers:
                search_schedule(Search(experiment, workers, path.parent, observer=observer), path)
        return Schedule.load(path)

    def _train(self, rows: Sequence[Row]) -> None:
        jobs = {
            self._key(row, seed): (f"{row.name} seed {seed}", self._job(row, seed))
            for row in rows
            for seed in self._missing(row)
        }
        if not jobs:
            return
        keys = {name: key for key, (name, _) in jobs.items()}
        wanted = {self._key(row, seed) for row in self._table.rows for seed in self._table.seeds}
        setting = Setting(task=self._table.rows[0].task, env=StageEnvConfig(warmup=0))
        with self._open_workers(setting) as workers:
            for name, job in jobs.values():
                workers.submit(name, job)
            for name, measurement in workers.results():
                self._kept.add(keys[name], name, measurement)
                self._progress.table(len(wanted & self._kept.measurements.keys()), len(wanted))

    def _job(self, row: Row, seed: int) -> MeasureJob:
        directing = row.curriculum
        curriculum = Follow(schedule=self._schedules[row.name]) if isinstance(directing, Learned) else directing
        return MeasureJob(task=row.task, curriculum=curriculum, seed=seed)


def check_row(row: Row, table: Table) -> None:
    """ValueError where a row's training does not measure what the table shows, or does not offer what the curriculum
    sets or must know.
    """
    learner = row.task.learner(table.seeds[0])
    if table.metrics:
        check_metrics(table.metrics, learner.evaluate("validation"), row.name)
    if isinstance(row.curriculum, Learned):
        _check_follows(row, row.curriculum.experiment, learner)
    elif row.curriculum.needs_mislabelled and learner.mislabelled is None:
        raise ValueError(
            f"row {row.name} must know which labels are wrong, and its data does not say: leave out the row, or give "
            "its task labels with known noise"
        )


def _check_follows(row: Row, experiment: Experiment, learner: Learner) -> None:
    """What `check_fits` asks of a schedule, before it has been searched."""
    action, decay = experiment.env.action, experiment.task.memory_decay
    looking = [name for name in experiment.env.observation if ENTRIES[name].needs_validation]
    if looking:
        raise ValueError(
            f"row {row.name} cannot follow what {experiment.name} learns: that looks at {', '.join(looking)}, which a "
            "table's trainings do not measure: leave it out of env.observation"
        )
    try:
        check_offered(action, learner)
    except ValueError as error:
        raise ValueError(f"row {row.name} cannot follow what {experiment.name} learns: {error}") from error
    if decay != row.task.memory_decay and any(name in REMEMBERING for name in action.features):
        raise ValueError(
            f"row {row.name} cannot follow what {experiment.name} learns: that remembers samples with decay {decay}, "
            f"the row's task with {row.task.memory_decay}: give both the same training.memory_decay"
        )


def search_schedule(search: Search, path: Path) -> None:
    """Runs a search, from its journal where there is one; `path` gets the schedule once it has ended."""
    if search.journal.exists:
        search.resume()
    schedule = search.run()
    write_json(path.parent / CONFIG, resolved(search.experiment))
    write_episodes(path.parent / "episodes.csv", search)
    write_stages(path.parent / "stages.csv", search)
    schedule.save(path)


class KeptMeasurements:
    """Measurements in a JSON file, each there as soon as it is added; ValueError where the file is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, dict[str, Any]] = {}
        if path.is_file():
            try:
                self._entries = json.loads(path.read_text(encoding="utf-8"))
                self.measurements = {key: _from_json(entry) for key, entry in self._entries.items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path} is damaged ({error}): delete it to train again, or restore a copy") from error
        else:
            self.measurements = {}

    def add(self, key: str, name: str, measurement: Measurement) -> None:
        """Keeps a measurement; `name` tells readers of the file what was measured."""
        metrics = {metric: value if math.isfinite(value) else None for metric, value in measurement.metrics.items()}
        self._entries[key] = {"training": name, **asdict(measurement), "metrics": metrics}
        self.measurements[key] = measurement
        write_json(self._path, self._entries)


def _from_json(entry: Mapping[str, Any]) -> Measurement:
    metrics = {metric: math.nan if value is None else float(value) for metric, value in entry["metrics"].items()}
    return Measurement(metrics=metrics, iterations=entry["iterations"], failure=entry["failure"])


def digest(*parts: object) -> str:
    """SHA-256, in hex, of what the parts are in Python."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
