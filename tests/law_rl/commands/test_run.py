"""Workers as the flags of a command say, and a standard output that is the result alone where JSON is asked for."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.task import ClassificationTask
from law_rl.cli import main
from law_rl.commands.arguments import SearchCommand
from law_rl.commands.run import open_workers
from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers
from law_rl.resources import Resources

ROOT = Path(__file__).parents[3]


class Noted:
    """Stands where Ray would start: notes what it was asked for, and says something as Ray does of deaths."""

    asked: dict[str, Any]
    closed = False

    def __init__(self, setting: object, **asked: Any) -> None:
        Noted.asked, Noted.closed = asked, False

    def close(self) -> None:
        Noted.closed = True


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_printed_beside_the_result_keeps_off_json(
    tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    monkeypatch.setattr("law_rl.cluster.workers.RayWorkers", Noted)
    command = SearchCommand(experiment="tiny", workers=3, resources=Resources(cpus=2), deadline=9.0, json=as_json)
    with open_workers(tiny_experiment.setting, command, Path("root")):
        print("a worker died")
    said = capsys.readouterr()
    assert (said.out, said.err) == (("", "a worker died\n") if as_json else ("a worker died\n", ""))
    assert Noted.asked == {"count": 3, "root": Path("root"), "resources": Resources(cpus=2), "deadline": 9.0}
    assert Noted.closed


def test_no_workers_means_this_process(tiny_experiment: Experiment) -> None:
    with open_workers(tiny_experiment.setting, SearchCommand(experiment="tiny", workers=0), Path()) as workers:
        assert isinstance(workers, LocalWorkers)


def test_what_trainings_share_is_made_first_and_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepared: list[str] = []
    learner = ClassificationTask.learner

    def prepare(task: ClassificationTask, observer: Callable[[int, int], None]) -> None:
        prepared.append(task.data.name)
        observer(2, 2)

    def checked(task: ClassificationTask, seed: int) -> ClassificationLearner:
        assert prepared == ["digits"]
        return learner(task, seed)

    monkeypatch.setattr(ClassificationTask, "prepare", prepare)
    monkeypatch.setattr(ClassificationTask, "learner", checked)
    tiny = ("--workers", "0", "--task.data.train", "120", "--task.data.validation", "60", "--task.training.epochs", "4")
    tiny += ("--task.training.stages", "4", "--env.pool", "2", "--search.episodes", "10", "--evaluation.seeds", "2")
    run = tmp_path / "run"
    assert "teacher of quickstart: 2/2 stages" in law_rl("search", "quickstart", "--out", str(run), *tiny)
    prepared.clear()
    schedule = str(run / "schedule.safetensors")
    assert "teacher of quickstart: 2/2 stages" in law_rl("evaluate", schedule, "quickstart", *tiny)


def law_rl(*arguments: str) -> str:
    """What a command prints on standard output."""
    out = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(out), pytest.raises(SystemExit, match="0"):
        main(arguments)
    return out.getvalue()
