"""Tables of trainings that take some hundredths of a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import Any

from rich.console import Console

from law_rl.classification.task import ClassificationTask
from law_rl.experiment import EvaluationConfig
from law_rl.jobs import Job, LocalWorkers, Setting, Workers
from law_rl.progress import Progress
from law_rl.table import Row, Table
from policies.baselines import FocalLoss, UniformWeights
from tests.conftest import make_tiny_experiment


def task(**training: Any) -> ClassificationTask:
    """The tiny task with fields of its training changed."""
    found = make_tiny_experiment().task
    assert isinstance(found, ClassificationTask)
    return replace(found, training=replace(found.training, **training))


def row(name: str, over: str = "uniform", **fields: Any) -> Row:
    return Row(**{"name": name, "over": over, "task": task(), "curriculum": UniformWeights(), **fields})


def table(*rows: Row, seeds: int = 3, **fields: Any) -> Table:
    """A table of these rows, else of uniform weights, focal loss and smaller batches."""
    standard = (
        row("uniform", over=""),
        row("focal", curriculum=FocalLoss(), note="gamma 2"),
        row("small batches", task=task(batch_size=16)),
    )
    evaluation = EvaluationConfig(seeds=seeds)
    return Table(**{"name": "tiny", "title": "A tiny table", "rows": rows or standard, **fields}, evaluation=evaluation)


class NotedWorkers(LocalWorkers):
    """Workers of this process that note the names of their jobs."""

    submitted: list[str]

    def submit(self, key: str, job: Job) -> None:
        self.submitted.append(key)
        super().submit(key, job)


def noting(submitted: list[str]) -> Callable[[Setting], Any]:
    """Opens workers that note the names of their jobs in the list."""

    @contextmanager
    def opened(setting: Setting) -> Iterator[Workers]:
        workers = NotedWorkers(setting)
        workers.submitted = submitted
        yield workers

    return opened


def silent() -> Progress:
    return Progress(Console(file=StringIO()))
