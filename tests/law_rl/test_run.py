"""Run directories: where a run goes, and what is written there."""

import csv
import json
import math
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers
from law_rl.progress import Progress
from law_rl.replay import FAILURE, Invocation
from law_rl.run import RunError, choose_directory, execute, resolved
from law_rl.schedule import Schedule
from law_rl.search import Search


def test_runs_are_numbered(tmp_path: Path) -> None:
    for expected in ("mine", "mine-2", "mine-3"):
        directory = choose_directory(tmp_path, "mine", None, resume=False)
        assert directory == tmp_path / "runs" / expected
        directory.mkdir(parents=True)
    assert choose_directory(tmp_path, "mine", None, resume=True) == tmp_path / "runs" / "mine-3"
    assert choose_directory(tmp_path, "other", None, resume=False) == tmp_path / "runs" / "other"


def test_resuming_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run of mine"):
        choose_directory(tmp_path, "mine", None, resume=True)
    with pytest.raises(RunError, match="no run to resume"):
        choose_directory(tmp_path, "mine", tmp_path / "empty", resume=True)


def test_a_directory_with_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        choose_directory(tmp_path, "mine", tmp_path, resume=False)
    (tmp_path / "config.json").write_text("{}")
    assert choose_directory(tmp_path, "mine", tmp_path, resume=True) == tmp_path


def run(experiment: Experiment, directory: Path, *, resume: bool) -> tuple[dict[str, object], str]:
    text = StringIO()
    with Progress(Console(file=text)) as progress:
        result = execute(
            experiment,
            LocalWorkers(experiment.setting),
            directory,
            invocation=Invocation(experiment="tiny"),
            worker_count=0,
            resume=resume,
            started=0.0,
            progress=progress,
        )
    return result, text.getvalue()


def test_a_finished_run_can_be_resumed_and_ends_the_same(tiny_experiment: Experiment, tmp_path: Path) -> None:
    first, text = run(tiny_experiment, tmp_path, resume=False)
    assert "14/14 trainings" in text
    before = Schedule.load(tmp_path / "schedule.safetensors").hash
    (tmp_path / "schedule.safetensors").unlink()
    (tmp_path / FAILURE).write_text("of a training that raised before, and no more")
    second, _ = run(tiny_experiment, tmp_path, resume=True)
    assert Schedule.load(tmp_path / "schedule.safetensors").hash == before
    assert second["schedules"] == first["schedules"]
    assert not (tmp_path / FAILURE).exists()


def test_tables_hold_what_happened(tiny_experiment: Experiment, tmp_path: Path) -> None:
    run(tiny_experiment, tmp_path, resume=False)
    search = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path, observer=lambda search: None)
    search.resume()
    with (tmp_path / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, episode in zip(rows, search.state.episodes, strict=True):
        assert float(row["advantage"]) == pytest.approx(episode.metric - episode.twin_metric)
        assert float(row["reward"]) == pytest.approx(math.fsum(episode.rewards.tolist()), abs=1e-4)
    with (tmp_path / "stages.csv").open() as file:
        stages = list(csv.DictReader(file))
    assert [int(row["stage"]) for row in stages] == [1, 2, 3]
    assert set(tiny_experiment.env.action.names) <= set(stages[0])


def test_the_configuration_is_written_whole(tiny_experiment: Experiment) -> None:
    config = json.loads(json.dumps(resolved(tiny_experiment)))
    assert config["task"]["training"]["optimiser"]["lr"] == 0.1
    assert config["env"]["action"]["gain"] == 4.0
    assert config["agent"] == {"name": "evolution", "population": 4, "sigma": 0.5}
    assert config["baselines"][0] == "uniform"
