"""`law-rl replay` as a user meets it: a project whose training raises, the stop, and the command that shows why."""

from collections.abc import Callable
from pathlib import Path

import pytest

from law_rl.cli import main
from law_rl.failures import JobFailed
from tests.law_rl.commands.cli import complaint, law_rl

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


@pytest.fixture(scope="module")
def project(make_project: Callable[[str, str], Path]) -> Path:
    return make_project("raising", EXPERIMENT)


def test_the_stop_names_the_command_that_shows_why(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    _, error = law_rl("search", "raising", "--workers", "0", *TINY, cwd=project, status=1)
    assert "training seed 1, in stage 2 under action [" in error
    assert "ZeroDivisionError: a mistake of the user's" in error
    assert f"law-rl replay {project / 'runs' / 'raising'}" in error
    assert "Traceback" not in error
    out, error = law_rl("replay", "runs/raising", cwd=project, status=1)
    assert "training seed 1, in stage 2 under action [" in error
    assert 'raise ZeroDivisionError("a mistake of the user\'s")' in out
    monkeypatch.chdir(project)
    with pytest.raises(JobFailed):
        main(["replay", "runs/raising", "--debug"])


def test_a_run_that_did_not_stop_has_nothing_to_replay(project: Path) -> None:
    (project / "runs" / "fine").mkdir(parents=True, exist_ok=True)
    assert "holds no failure.json" in complaint("replay", "runs/fine", cwd=project)
