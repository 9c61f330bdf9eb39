"""How benchmarks run trainings: workers, a progress bar with the time left, searches."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from law_rl.experiment import Experiment
from law_rl.jobs import Job, LocalWorkers, Setting, Workers
from law_rl.schedule import Schedule
from law_rl.search import Search

ROOT = Path(__file__).parents[1]


class Bar:
    """One line on the terminal: what runs, how much of it is done, the time left."""

    def __init__(self, progress: Progress, text: str, total: int) -> None:
        self._progress, self._task = progress, progress.add_task(text, total=total)

    def show(self, done: int) -> None:
        self._progress.update(self._task, completed=done)


@contextmanager
def bar(text: str, total: int) -> Iterator[Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn()) as progress:
        yield Bar(progress, text, total)


@contextmanager
def open_workers(setting: Setting, count: int) -> Iterator[Workers]:
    """`count` Ray workers of this machine; 0: this process."""
    if count == 0:
        yield LocalWorkers(setting)
        return
    from law_rl.cluster.workers import RayWorkers

    workers = RayWorkers(setting, count=count, root=ROOT)
    try:
        yield workers
    finally:
        workers.close()


def learn(experiment: Experiment, workers: Workers, text: str) -> Schedule:
    """The schedule that the experiment's search ends with; its checkpoint is thrown away."""
    with tempfile.TemporaryDirectory() as directory:
        search = Search(experiment, workers, Path(directory), observer=lambda search: line.show(search.trainings_done))
        with bar(text, search.trainings_total) as line:
            return search.run()


def with_search_seed(experiment: Experiment, seed: int) -> Experiment:
    return replace(experiment, search=replace(experiment.search, seed=seed))


def run_jobs(jobs: Mapping[str, Any], workers: Workers, text: str) -> dict[str, Any]:
    """The results of jobs, benchmarks' own kinds among them, by key."""
    results: dict[str, Any] = {}
    for key, job in jobs.items():
        workers.submit(key, cast(Job, job))
    with bar(text, len(jobs)) as line:
        for key, result in workers.results():
            results[key] = result
            line.show(len(results))
    return results
