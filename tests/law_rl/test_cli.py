"""Every command end to end, as a user types it; and what it says of bad input."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from law_rl import __version__
from law_rl.cli import main
from law_rl.schedule import Schedule, ScheduleError

ROOT = Path(__file__).parents[2]
TINY = [
    *("--task.data.train", "120", "--task.data.validation", "60", "--task.training.network.width", "8"),
    *("--task.training.epochs", "4", "--task.training.stages", "4", "--env.pool", "2", "--env.warmup", "1"),
    *("--search.episodes", "10", "--agent.population", "4", "--evaluation.seeds", "2"),
]


@dataclass(frozen=True)
class Done:
    stdout: str
    stderr: str


def law_rl(*arguments: str, cwd: Path = ROOT, status: int = 0) -> Done:
    """Runs a command in this process, as `law-rl ...` would."""
    out, error = io.StringIO(), io.StringIO()
    redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(error)
    with contextlib.chdir(cwd), redirected[0], redirected[1], pytest.raises(SystemExit) as exit:
        main(arguments)
    assert (exit.value.code or 0) == status, out.getvalue() + error.getvalue()
    return Done(out.getvalue(), error.getvalue())


def start(*arguments: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
    """Starts a command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "law_rl.cli", *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module", autouse=True)
def wide_terminal() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "160")
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    out = law_rl("search", "experiments/quickstart.py", "--workers", "0", "--out", str(directory), *TINY).stdout
    assert "learned over uniform" in out
    assert str(directory / "report.html") in out.replace("\n", "")
    return directory


def test_a_search_leaves_its_files(run: Path) -> None:
    names = {"config.json", "episodes.csv", "stages.csv", "result.json", "schedule.safetensors", "report.html"}
    assert names | {"checkpoints"} == {path.name for path in run.iterdir()}
    with (run / "episodes.csv").open() as file:
        episodes = list(csv.DictReader(file))
    assert [row["phase"] for row in episodes] == ["explore"] * 6 + ["confirm"] * 4
    config = json.loads((run / "config.json").read_text())
    assert config["task"]["training"]["network"]["width"] == 8
    assert config["search"]["episodes"] == 10


def test_the_result_has_the_promised_entries(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert result["experiment"] == "quickstart"
    assert result["metric"] == "accuracy"
    assert {"uniform", "small_loss", "oracle", "learned"} <= set(result["schedules"])
    for entry in result["schedules"].values():
        assert len(entry["values"]) == len(result["seeds"]) == 2
        assert entry["ci95"][0] <= entry["mean"] <= entry["ci95"][1]
        assert all(0 <= value <= 100 for value in entry["values"])
    assert result["gain"]["over"] == "uniform"
    means = {name: entry["mean"] for name, entry in result["schedules"].items()}
    expected = (means["learned"] - means["uniform"]) / (means["oracle"] - means["uniform"])
    assert result["gap_closed"] == pytest.approx(expected)
    search = result["search"]
    assert (search["episodes"], search["stages"], search["trainings"], search["workers"]) == (10, 30, 12, 0)
    assert search["wall_s"] > 0


def test_evaluate_prints_json(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "evaluation.json"
    arguments = [str(run / "schedule.safetensors"), "quickstart", "--workers", "0", "--json", "--out", str(out), *TINY]
    result = json.loads(law_rl("evaluate", *arguments).stdout)
    before = json.loads((run / "result.json").read_text())
    assert result["schedules"] == before["schedules"]
    assert json.loads(out.read_text()) == result


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (("--task.training.features", "loss"), "--task.training.features own_confidence_in_class"),
        (("--task.training.memory-decay", "0.9"), "--task.training.memory-decay 0.6"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused_with_the_remedy(
    run: Path, change: tuple[str, str], remedy: str
) -> None:
    arguments = [str(run / "schedule.safetensors"), "quickstart", "--workers", "0", *TINY, *change]
    assert remedy in law_rl("evaluate", *arguments, status=2).stderr


def test_show_says_what_a_schedule_does(run: Path) -> None:
    text = law_rl("show", str(run / "schedule.safetensors")).stdout
    schedule = Schedule.load(run / "schedule.safetensors")
    assert schedule.hash[:12] in text
    assert "quickstart" in text
    content = json.loads(law_rl("show", str(run / "schedule.safetensors"), "--json").stdout)
    assert content["sha256"] == schedule.hash


def test_envs_and_policies_are_listed() -> None:
    envs = json.loads(law_rl("envs", "--json").stdout)
    assert "envs:law_rl/NoisyDigits-v0" in {row["id"] for row in envs}
    assert all(row["sets"] for row in envs)
    rows = json.loads(law_rl("policies", "--json").stdout)
    assert {"evolution", "law"} <= {row["name"] for row in rows if row["role"] == "agent"}
    assert {"uniform", "small_loss", "oracle"} <= {row["name"] for row in rows if row["role"] == "baseline"}
    assert "evolution" in law_rl("policies").stdout


def test_new_lays_out_a_project_that_runs(tmp_path: Path) -> None:
    out = law_rl("new", "mine", cwd=tmp_path).stdout
    assert "law-rl search experiments/quickstart.py" in out
    search = ["search", "quickstart", "--workers", "0", *TINY]
    project = start(*search, cwd=tmp_path / "mine" / "experiments")
    assert project.wait() == 0, project.communicate()
    assert (tmp_path / "mine" / "runs" / "quickstart" / "schedule.safetensors").is_file()


@pytest.mark.parametrize(
    "verb",
    [
        *("search", "evaluate", "replay", "show", "envs", "policies", "tune", "table", "submit", "jobs", "new"),
        *("distill", "teacher", "anchors", "face"),
        *("face train", "face distill", "face embed", "face evaluate", "face identify"),
        *("codec", "codec encode", "codec decode", "codec info", "codec evaluate", "codec compare", "codec train"),
    ],
)
def test_every_verb_has_help(verb: str) -> None:
    assert f"law-rl {verb}" in law_rl(*verb.split(), "--help").stdout


def test_the_version_is_printed() -> None:
    assert law_rl("--version").stdout.strip() == __version__


def test_the_help_of_an_experiment_lists_its_fields() -> None:
    text = law_rl("search", "quickstart", "--help").stdout
    for flag in ("--search.episodes", "--env.reward", "--task.data.noise.rate", "--agent.population"):
        assert flag in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("search", "quikstart"), "quickstart"),
        (("search", "quickstart", "--search.episodes", "3"), "episodes is 3"),
        (("search", "quickstart", "--env.warmup", "10"), "warmup is 10"),
        (("search", "quickstart", "--task.data.noise.rate", "1.5"), "1.5"),
        (("search", "quickstart", "--workers", "-1"), "workers is -1"),
        (("search", "quickstart", "--resume", "--out", "/nonexistent/run"), "no run to resume"),
        (("evaluate", "missing.safetensors", "quickstart"), "no schedule at missing.safetensors"),
        (("show", "README.md"), "README.md"),
        (("envs", "--search.episodes", "3"), "only search, evaluate, tune, submit, distill, teacher, anchors, face"),
        (("face", "identify", "a", "b", "--search.episodes", "3"), "face train, face distill take it"),
        (("face", "distill", "quickstart", "--search.episodes", "3"), "episodes is 3"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(arguments: tuple[str, ...], words: str) -> None:
    error = law_rl(*arguments, status=2).stderr
    assert words in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_an_unknown_flag_gets_status_2() -> None:
    error = law_rl("search", "quickstart", "--search.epsiodes", "3", status=2).stderr
    assert "--search.episodes" in error
    assert "Traceback" not in error


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(ScheduleError):
        main(["--debug", "show", "missing.safetensors"])


def test_outside_a_project_the_remedy_is_named(tmp_path: Path) -> None:
    assert "law-rl new" in law_rl("search", "quickstart", cwd=tmp_path, status=2).stderr


def test_a_run_is_not_overwritten(run: Path) -> None:
    error = law_rl("search", "quickstart", "--workers", "0", "--out", str(run), *TINY, status=2).stderr
    assert "--resume" in error


def stopped(directory: Path, command: list[str], kind: signal.Signals) -> tuple[int, str]:
    """Exit status and messages of a driver that got the signal in its search; one that was faster is run again."""
    for _ in range(10):
        driver = start(*command)
        while not any(directory.glob("checkpoints/*")) and driver.poll() is None:
            time.sleep(0.001)
        driver.send_signal(kind)
        _, error = driver.communicate()
        if not (directory / "schedule.safetensors").exists():
            return driver.returncode, error
        shutil.rmtree(directory)
    raise AssertionError("the search ends before it can be stopped: make it longer")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_driver_resumes_to_the_same_schedule(run: Path, tmp_path: Path, kind: signal.Signals) -> None:
    directory = tmp_path / "stopped"
    command = ["search", "quickstart", "--workers", "0", "--out", str(directory), *TINY]
    status, error = stopped(directory, command, kind)
    if kind == signal.SIGINT:
        assert status == 1
        assert re.search("stopped.*--resume", error)
    assert not (directory / "schedule.safetensors").exists()
    law_rl(*command, "--resume")
    assert Schedule.load(directory / "schedule.safetensors").hash == Schedule.load(run / "schedule.safetensors").hash
