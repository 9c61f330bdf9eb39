"""A training that stops a run can be seen to fail again: same seed, same actions, same place."""

import dataclasses
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from law_rl.experiment import Experiment
from law_rl.failures import JobFailed
from law_rl.jobs import LocalWorkers
from law_rl.progress import Progress
from law_rl.replay import Invocation, failed_job, read_failure
from law_rl.run import RunStopped, execute
from tests.law_rl.cluster.faults import FaultyTask

INVOCATION = Invocation(experiment="tiny", overrides=("--search.episodes", "12"))


def stop(experiment: Experiment, directory: Path) -> str:
    with Progress(Console(file=StringIO())) as progress, pytest.raises(RunStopped) as caught:
        execute(
            experiment,
            LocalWorkers(experiment.setting),
            directory,
            invocation=INVOCATION,
            worker_count=0,
            resume=False,
            started=0.0,
            progress=progress,
        )
    return str(caught.value)


# The fault's seed is met by a twin first, then by episodes 0, 2, 4, ...; 1000 is a seed of the evaluation.
@pytest.mark.parametrize(
    ("seed", "skipped", "training", "stage"), [(0, 0, "twin", 2), (0, 1, "episode", 2), (1000, 0, "uniform", 3)]
)
def test_what_stopped_a_run_happens_again(
    tiny_experiment: Experiment, tmp_path: Path, seed: int, skipped: int, training: str, stage: int
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()

    class Later(FaultyTask):
        def meet(self) -> str:
            met.append(self.seed)
            return super().meet() if len(met) > skipped else ""

    met: list[int] = []
    task = Later(task=tiny_experiment.task, fault="raises", marks=str(marks), seed=seed, stage=stage, times=100)
    experiment = dataclasses.replace(tiny_experiment, task=task)
    text = stop(experiment, tmp_path / "run")
    assert f"law-rl replay {tmp_path / 'run'}" in text
    assert f"training seed {seed}, in stage {stage}" in text
    invocation, failure = read_failure(tmp_path / "run")
    assert invocation == INVOCATION
    assert failure.training == training
    assert len(failure.actions) == (stage if training == "episode" else 0)
    workers = LocalWorkers(experiment.setting)
    workers.submit("again", failed_job(failure, experiment, tmp_path / "run"))
    with pytest.raises(JobFailed) as again:
        list(workers.results())
    assert again.value.failure is not None
    assert dataclasses.replace(again.value.failure, trace="") == dataclasses.replace(failure, trace="")


def test_a_run_without_a_failure_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no failure\.json: no training of this run has raised"):
        read_failure(tmp_path)
