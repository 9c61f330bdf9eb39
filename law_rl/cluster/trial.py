"""One trial of a tuning: a whole policy search inside a process of Ray Tune, which goes on from what is kept of it."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from ray import cloudpickle, tune

from law_rl import project
from law_rl.cluster.session import share_decoded_data
from law_rl.cluster.storage import Storage
from law_rl.cluster.workers import RayWorkers
from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers, Workers
from law_rl.resources import Resources
from law_rl.schedule import Schedule
from law_rl.search import Search
from law_rl.trials import Report, Trial, from_record, seal, to_record
from law_rl.tuning import with_fields

RESULT, RECORD, SCHEDULE = "result.json", "trial.json", "schedule.safetensors"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all trials of a tuning share. `storage` holds a folder for each; `experiment` is pickled, because the
    project's modules can be imported only once the project is known.
    """

    experiment: bytes
    fields: tuple[Mapping[str, Any], ...]
    storage: str
    root: str
    workers: int
    resources: Resources
    replay: bool


def fields_of(config: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The configuration of a trial: drawn beforehand, or as its scheduler has it."""
    return dict(config["fields"] if "fields" in config else plan.fields[config["number"]])


def run_trial(config: Mapping[str, Any], plan: Plan) -> None:
    """Runs one trial, or tells its results again where it is finished already."""
    project.activate(Path(plan.root))
    torch.set_num_threads(plan.resources.cpus)
    share_decoded_data()
    name = tune.get_context().get_trial_dir().rstrip("/").rsplit("/", 1)[-1]
    trial = _Trial(config, plan, cloudpickle.loads(plan.experiment), name)
    if not trial.tell_finished():
        trial.run()


class _Trial:
    def __init__(self, config: Mapping[str, Any], plan: Plan, base: Experiment, name: str) -> None:
        self._number, self._plan, self._base = config["number"], plan, base
        self._folder = Storage(plan.storage) / name
        self._trial = Trial(name=name, fields=fields_of(config, plan))
        self._told = 0

    @property
    def _experiment(self) -> Experiment:
        return with_fields(self._base, self._trial.fields)

    def tell_finished(self) -> bool:
        """Reports the trial from its result.json, where it has one of this code and this search."""
        content = self._folder.read(RESULT)
        if content is None:
            return False
        trial, record = from_record(content)
        if record["seal"] != seal(with_fields(self._base, trial.fields)):
            return False
        self._trial = trial
        self._tell_again()
        return True

    def _tell_again(self) -> None:
        """Reports what was reported before the driver was stopped: schedulers and searchers learn from it anew."""
        first = 0 if self._plan.replay else max(len(self._trial.curve) - 1, 0)
        for report in self._trial.curve[first:]:
            tune.report(self._metrics(report))

    def run(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="law-rl-trial-"))
        try:
            resumed, adopt = self._restore(directory)
            with self._workers() as workers:
                search = Search(self._experiment, workers, directory, observer=self._observe)
                if resumed:
                    search.resume(adopt=adopt)
                self._directory = directory
                self._finish(search.run())
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _restore(self, directory: Path) -> tuple[bool, bool]:
        """Fetches the checkpoint to go on from; whether there is one, and whether it is another trial's."""
        if (checkpoint := tune.get_checkpoint()) is not None:
            checkpoint.to_directory(str(directory))
        elif not self._fetch_kept(directory):
            self._folder.write(RECORD, to_record(self._trial, self._experiment))
            return False, False
        kept, _ = from_record((directory / RECORD).read_bytes())
        self._told = kept.episodes
        if kept.name != self._trial.name:
            self._trial.curve = kept.curve
            return True, True
        self._trial = kept
        if checkpoint is None:
            self._tell_again()
        return True, False

    def _fetch_kept(self, directory: Path) -> bool:
        """Fetches the newest whole checkpoint that an earlier driver left of this trial."""
        records = []
        for name in self._folder.folders():
            content = (self._folder / name).read(RECORD)
            if content is None:
                continue
            trial, record = from_record(content)
            if record["seal"] == seal(with_fields(self._base, trial.fields)):
                records.append((len(trial.curve), name, record["files"]))
        for _, name, files in sorted(records, reverse=True):
            (self._folder / name).download(directory)
            if files == _sizes(directory):
                return True
            shutil.rmtree(directory)
        return False

    @contextmanager
    def _workers(self) -> Iterator[Workers]:
        plan, setting = self._plan, self._experiment.setting
        if plan.workers == 0:
            yield LocalWorkers(setting)
            return
        workers = RayWorkers(setting, count=plan.workers, root=Path(plan.root), resources=plan.resources)
        try:
            yield workers
        finally:
            workers.close()

    def _observe(self, search: Search) -> None:
        """Reports the mean gain of every `pool` episodes that were taken while exploring."""
        config, pool = search.experiment.search, search.experiment.env.pool
        taken = min(len(search.state.episodes), config.episodes - config.candidates * pool)
        while self._told + pool <= taken:
            self._told += pool
            recent = [episode.advantage for episode in search.state.episodes[self._told - pool : self._told]]
            search.save()
            self._tell(Report.of(self._told, sum(recent) / pool))

    def _finish(self, schedule: Schedule) -> None:
        experiment = self._experiment
        report = Report.of(experiment.search.episodes, schedule.provenance["validation_gain"]["mean"])
        self._trial.status, self._trial.error = ("failed", report.failure) if report.failure else ("finished", "")
        self._trial.curve.append(report)
        path = self._directory / SCHEDULE
        schedule.save(path)
        self._folder.write(SCHEDULE, path.read_bytes())
        self._folder.write(RESULT, to_record(self._trial, experiment, schedule=schedule.hash))
        tune.report(self._metrics(report))

    def _tell(self, report: Report) -> None:
        self._trial.curve.append(report)
        record = to_record(self._trial, self._experiment, files=_sizes(self._directory))
        (self._directory / RECORD).write_bytes(record)
        tune.report(self._metrics(report), checkpoint=tune.Checkpoint.from_directory(str(self._directory)))

    def _metrics(self, report: Report) -> dict[str, Any]:
        return {**asdict(report), "fields": self._trial.fields, "status": self._trial.status}


def _sizes(directory: Path) -> dict[str, int]:
    """The size of every file of a checkpoint, but of its record."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file() and path.name != RECORD)
    return {str(path.relative_to(directory)): path.stat().st_size for path in files}
