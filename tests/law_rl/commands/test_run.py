"""Workers as the flags of a command say, and a standard output that is the result alone where JSON is asked for."""

from pathlib import Path
from typing import Any

import pytest

from law_rl.commands.arguments import SearchCommand
from law_rl.commands.run import open_workers
from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers
from law_rl.resources import Resources


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
    with open_workers(tiny_experiment, command, Path("root")):
        print("a worker died")
    said = capsys.readouterr()
    assert (said.out, said.err) == (("", "a worker died\n") if as_json else ("a worker died\n", ""))
    assert Noted.asked == {"count": 3, "root": Path("root"), "resources": Resources(cpus=2), "deadline": 9.0}
    assert Noted.closed


def test_no_workers_means_this_process(tiny_experiment: Experiment) -> None:
    with open_workers(tiny_experiment, SearchCommand(experiment="tiny", workers=0), Path()) as workers:
        assert isinstance(workers, LocalWorkers)
