"""Ray workers: the same schedule with one, two, and any that were killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.processes import actor_processes
from law_rl.cluster.workers import RayWorkers
from law_rl.experiment import Experiment
from law_rl.failures import JobFailed
from law_rl.jobs import LocalWorkers, WorkerState
from law_rl.search import Search

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.ray


def kill_at(victims: dict[int, int]) -> Callable[[Search], None]:
    """An observer that kills so many workers after so many jobs, and fails if there was none to kill."""
    seen = 0

    def observer(search: Search) -> None:
        nonlocal seen
        seen += 1
        if count := victims.pop(seen, 0):
            processes = actor_processes("Worker")[:count]
            assert len(processes) == count
            for process in processes:
                os.kill(process, signal.SIGKILL)

    return observer


def search_hash(
    experiment: Experiment, directory: Path, count: int, observer: Callable[[Search], None] = lambda search: None
) -> str:
    workers = RayWorkers(experiment.setting, count=count, root=ROOT)
    try:
        return Search(experiment, workers, directory, observer=observer).run().hash
    finally:
        workers.close()


@pytest.fixture(scope="module")
def expected(tiny_experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> str:
    workers = LocalWorkers(tiny_experiment.setting)
    return Search(tiny_experiment, workers, tmp_path_factory.mktemp("local"), observer=lambda search: None).run().hash


@pytest.mark.parametrize("count", [1, 2])
def test_the_number_of_workers_does_not_change_the_schedule(
    ray_session: None, tiny_experiment: Experiment, expected: str, tmp_path: Path, count: int
) -> None:
    assert search_hash(tiny_experiment, tmp_path, count) == expected


def test_killed_workers_do_not_change_the_schedule(
    ray_session: None, tiny_experiment: Experiment, expected: str, tmp_path: Path
) -> None:
    victims = {4: 2, 9: 1}
    assert search_hash(tiny_experiment, tmp_path, 2, kill_at(victims)) == expected
    assert not victims


class Deadly:
    """A job that no worker outlives."""

    def run(self, worker: WorkerState) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Wrong:
    """A job with a mistake in its input."""

    def run(self, worker: WorkerState) -> None:
        raise ValueError("the input is wrong: give another")


def test_a_job_that_kills_every_worker_ends_the_run(
    ray_session: None, tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("law_rl.cluster.workers.LIVES", 2)
    workers = RayWorkers(tiny_experiment.setting, count=1, root=ROOT)
    workers.submit("deadly", Deadly())  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match="deadly lost 2 workers"):
        list(workers.results())
    workers.close()


def test_a_workers_error_arrives_as_it_was_raised(ray_session: None, tiny_experiment: Experiment) -> None:
    workers = RayWorkers(tiny_experiment.setting, count=1, root=ROOT)
    workers.submit("wrong", Wrong())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^the input is wrong: give another$"):
        list(workers.results())
    workers.close()


class Broken:
    """A job with a mistake in its code."""

    def run(self, worker: WorkerState) -> None:
        raise KeyError("nowhere")


def test_a_mistake_in_a_job_names_the_job(
    ray_session: None, tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("law_rl.cluster.workers.ATTEMPTS", 2)
    workers = RayWorkers(tiny_experiment.setting, count=1, root=ROOT)
    workers.submit("broken", Broken())  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match="broken raised on 2 workers: 'nowhere'"):
        list(workers.results())
    workers.close()


def test_no_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="workers is 0"):
        RayWorkers(None, count=0, root=ROOT)  # type: ignore[arg-type]
