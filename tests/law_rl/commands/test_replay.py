"""`law-rl replay` as a user meets it: a project whose training raises, the stop, and the command that shows why."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXPERIMENT = '''\
"""A training that raises in its third stage, with seed 1."""

from dataclasses import dataclass, replace

from experiments.quickstart import experiment as quickstart
from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.task import ClassificationTask
from law_rl.learner import BASELINE


class Raising(ClassificationLearner):
    def train_stage(self, directive):
        if self.seed == 1 and self.stage == 2 and directive != BASELINE:
            raise ZeroDivisionError("a mistake of the user's")
        return super().train_stage(directive)


@dataclass(frozen=True, kw_only=True)
class RaisingTask(ClassificationTask):
    def learner(self, seed):
        made = super().learner(seed)
        return Raising(made.config, made.dataset, seed)


task = RaisingTask(data=quickstart.task.data, training=quickstart.task.training)
experiment = replace(quickstart, name="raising", task=task)
'''
TINY = ["--task.training.epochs", "4", "--task.training.stages", "4", "--env.pool", "2", "--search.episodes", "10"]


def law_rl(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "law_rl.cli", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "300", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in ("envs", "policies", "experiments"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "experiments" / "raising.py").write_text(EXPERIMENT)
    return folder


def test_the_stop_names_the_command_that_shows_why(project: Path) -> None:
    stopped = law_rl(project, "search", "raising", "--workers", "0", *TINY)
    assert stopped.returncode == 1
    assert "training seed 1, in stage 2 under action [" in stopped.stderr
    assert "ZeroDivisionError: a mistake of the user's" in stopped.stderr
    assert f"law-rl replay {project / 'runs' / 'raising'}" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    again = law_rl(project, "replay", "runs/raising")
    assert again.returncode == 1
    assert "training seed 1, in stage 2 under action [" in again.stderr
    assert 'raise ZeroDivisionError("a mistake of the user\'s")' in again.stdout
    assert "Traceback" in law_rl(project, "replay", "runs/raising", "--debug").stderr


def test_a_run_that_did_not_stop_has_nothing_to_replay(project: Path) -> None:
    (project / "runs" / "fine").mkdir(parents=True, exist_ok=True)
    answer = law_rl(project, "replay", "runs/fine")
    assert answer.returncode == 2
    assert "holds no failure.json" in answer.stderr
