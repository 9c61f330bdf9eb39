"""Every fault that a cluster knows: the schedule of an undisturbed run, or a stop that says how to see the cause."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from law_rl.cluster.workers import ATTEMPTS, RayWorkers
from law_rl.experiment import Experiment
from law_rl.failures import JobFailed
from law_rl.jobs import LocalWorkers
from law_rl.resources import Resources
from law_rl.search import Search
from tests.law_rl.cluster.faults import Fault, FaultyTask, marks

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.ray


def ignore(search: Search) -> None:
    pass


@pytest.fixture(scope="module")
def expected(tiny_experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> str:
    workers = LocalWorkers(tiny_experiment.setting)
    return Search(tiny_experiment, workers, tmp_path_factory.mktemp("local"), observer=ignore).run().hash


def faulty(experiment: Experiment, fault: Fault, folder: Path, **where: int) -> Experiment:
    folder.mkdir()
    task = FaultyTask(task=experiment.task, fault=fault, marks=str(folder), **where)
    return dataclasses.replace(experiment, task=task)


def run(experiment: Experiment, directory: Path, *, resources: Resources, deadline: float) -> str:
    workers = RayWorkers(experiment.setting, count=2, root=ROOT, resources=resources, deadline=deadline)
    try:
        return Search(experiment, workers, directory, observer=ignore).run().hash
    finally:
        workers.close()


@pytest.mark.parametrize(
    ("faults", "memory", "deadline"), [(("dies", "raises"), "", 0.0), (("hangs", "stops", "fills memory"), "1GiB", 3.0)]
)
def test_faults_on_workers_do_not_change_the_schedule(
    ray_session: ModuleType,
    tiny_experiment: Experiment,
    expected: str,
    tmp_path: Path,
    faults: tuple[Fault, ...],
    memory: str,
    deadline: float,
) -> None:
    """Each meets a stage of its own, once."""
    experiment = tiny_experiment
    for place, fault in enumerate(faults):
        experiment = faulty(experiment, fault, tmp_path / fault, seed=place % 2, stage=1 + place)
    got = run(experiment, tmp_path / "run", resources=Resources(memory=memory), deadline=deadline)
    assert [len(marks(tmp_path / fault)) for fault in faults] == [1] * len(faults)
    assert got == expected


def test_a_training_that_always_raises_stops_the_run_with_its_place(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path
) -> None:
    experiment = faulty(tiny_experiment, "raises", tmp_path / "marks", times=100)
    with pytest.raises(JobFailed, match=r"raised on 3 workers: training seed 0, in stage 2.*KeyError: 'injected'") as e:
        run(experiment, tmp_path / "run", resources=Resources(), deadline=0.0)
    assert e.value.failure is not None
    assert (e.value.failure.training_seed, e.value.failure.stage) == (0, 2)
    assert "meet" in e.value.failure.trace
    processes = marks(tmp_path / "marks")
    assert len(processes) == len(set(processes)) == ATTEMPTS


def test_a_training_that_is_always_silent_stops_the_run(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("law_rl.cluster.workers.LIVES", 2)
    experiment = faulty(tiny_experiment, "hangs", tmp_path / "marks", times=100)
    with pytest.raises(JobFailed, match=r"lost 2 workers, the last as it was silent for 1 s.*--deadline"):
        run(experiment, tmp_path / "run", resources=Resources(), deadline=1.0)


def test_a_metric_that_is_not_finite_is_punished_alike_everywhere(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path
) -> None:
    local = faulty(tiny_experiment, "not finite", tmp_path / "a", times=1000)
    search = Search(local, LocalWorkers(local.setting), tmp_path / "local", observer=ignore)
    expected = search.run().hash
    failed = [episode for episode in search.state.episodes if episode.failure]
    assert {episode.training_seed for episode in failed} == {0}
    assert all(episode.rewards.isfinite().all() for episode in failed)
    ray = faulty(tiny_experiment, "not finite", tmp_path / "b", times=1000)
    assert run(ray, tmp_path / "run", resources=Resources(), deadline=0.0) == expected


def test_a_lost_node_does_not_change_the_schedule(tiny_experiment: Experiment, expected: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    script = [sys.executable, "-m", "tests.law_rl.cluster.lost_node", str(tmp_path)]
    process = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stdout.splitlines()[-1] == f"workers without a node 1 hash {expected}"
