"""`law-rl tune` end to end: its files, what it refuses, and a driver that is killed half-way."""

import contextlib
import csv
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from law_rl import project
from law_rl.classification.task import ClassificationTask
from law_rl.cli import main
from law_rl.schedule import Schedule
from law_rl.tuning import with_fields

ROOT = Path(__file__).parents[3]
TINY = [
    *("--task.data.train", "200", "--task.data.validation", "100", "--task.training.network.width", "16"),
    *("--task.training.epochs", "12", "--task.training.stages", "4", "--env.pool", "2", "--search.episodes", "14"),
]
GRID = ["tune", "quickstart_space", "--algorithm", "grid", "--workers", "0", *TINY]
pytestmark = pytest.mark.ray


def law_rl(*arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints on standard output and standard error, run in this process."""
    out, error = io.StringIO(), io.StringIO()
    redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(error)
    with contextlib.chdir(ROOT), redirected[0], redirected[1], pytest.raises(SystemExit) as exit:
        main(arguments)
    assert (exit.value.code or 0) == status, out.getvalue() + error.getvalue()
    return out.getvalue(), error.getvalue()


@pytest.fixture(scope="module", autouse=True)
def wide_terminal() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "160")
        yield


@pytest.fixture(scope="module")
def tuned(ray_session: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run directory of an undisturbed tuning, and what it printed."""
    directory = tmp_path_factory.mktemp("tuned") / "run"
    return directory, law_rl(*GRID, "--out", str(directory))[0]


def test_a_tuning_leaves_its_files(tuned: tuple[Path, str]) -> None:
    directory, _ = tuned
    names = {"config.json", "trials.csv", "trials.svg", "result.json", "schedule.safetensors", "trials"}
    assert {path.name for path in directory.iterdir()} == names | {"quickstart_space_tuned.py"}
    result = json.loads((directory / "result.json").read_text())
    assert result["experiment"] == "quickstart_space"
    assert (result["algorithm"], result["seed"]) == ("grid", 0)
    assert len({str(trial["config"]) for trial in result["trials"]}) == 6
    gains = [trial["gain"] for trial in result["trials"]]
    assert gains == sorted(gains, reverse=True)
    assert len(set(gains)) > 2
    assert result["best"] == result["trials"][0]
    schedule = Schedule.load(directory / "schedule.safetensors")
    assert schedule.provenance["validation_gain"]["mean"] == result["best"]["gain"]
    assert schedule.provenance["agent"]["sigma"] == result["best"]["config"]["agent.sigma"]
    with (directory / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["gain"]) for row in rows] == gains
    assert {row["status"] for row in rows} == {"finished"}
    svg = xml.etree.ElementTree.parse(directory / "trials.svg")
    text = " ".join(entry.text or "" for entry in svg.iter("{http://www.w3.org/2000/svg}text"))
    assert "best: agent.sigma" in text


def test_a_tuning_prints_a_table_and_how_to_go_on(tuned: tuple[Path, str]) -> None:
    directory, out = tuned
    best = json.loads((directory / "result.json").read_text())["best"]
    first = next(line for line in out.splitlines() if best["name"] in line)
    assert f"{best['gain']:+.2f}" in first
    assert f"law-rl evaluate {directory / 'schedule.safetensors'} quickstart_space_tuned" in out
    assert "6 of 6 trials" in out


def test_the_best_configuration_is_a_module_that_runs(
    tuned: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.quickstart_space import experiment

    directory, _ = tuned
    monkeypatch.syspath_prepend(str(directory))
    module = importlib.import_module("quickstart_space_tuned")
    monkeypatch.delitem(sys.modules, "quickstart_space_tuned")
    best = json.loads((directory / "result.json").read_text())["best"]["config"]
    given = {
        "task.data.train": 200,
        "task.data.validation": 100,
        "task.training.network.width": 16,
        "task.training.epochs": 12,
        "task.training.stages": 4,
        "env.pool": 2,
        "search.episodes": 14,
    }
    assert module.experiment == with_fields(experiment, {"name": "quickstart_space_tuned", **given, **best})


def results(directory: Path) -> dict[str, tuple[int, int]]:
    """When and as which file each finished trial's result was written."""
    files = directory.glob("trials/*/result.json")
    return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def descendants(process: int) -> dict[int, str]:
    """The processes below one, each with the time it began, which tells it from a later one of the same number."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            found[int(path.name)] = f"{fields[1]} {fields[19]}"
    below, grown = {process}, True
    while grown:
        new = {one for one, entry in found.items() if int(entry.split()[0]) in below} - below
        grown = bool(new)
        below |= new
    return {one: found[one].split()[1] for one in below - {process} if one in found}


def alive(processes: dict[int, str]) -> list[int]:
    left = []
    for process, begun in processes.items():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            if fields[19] == begun and fields[0] != "Z":
                left.append(process)
    return left


def command(process: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def is_agent(process: int) -> bool:
    """Whether this is one of Ray's two agents: they end by themselves a minute after the driver."""
    return command(process).startswith((b"ray::DashboardAgent", b"ray::RuntimeEnvAgent"))


@pytest.mark.slow
def test_a_killed_driver_leaves_nothing_behind_and_resumes_to_the_same_best(
    tuned: tuple[Path, str], tmp_path: Path
) -> None:
    directory = tmp_path / "killed"
    arguments = [sys.executable, "-m", "law_rl.cli", *GRID, "--out", str(directory)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    driver = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while len(results(directory)) < 3 and driver.poll() is None:
        time.sleep(0.01)
    below = descendants(driver.pid)
    assert any(b"raylet" in command(process) for process in below)
    driver.send_signal(signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL, driver.communicate()
    until = time.monotonic() + 60
    while (left := [process for process in alive(below) if not is_agent(process)]) and time.monotonic() < until:
        time.sleep(0.1)
    for process in alive(below):
        os.kill(process, signal.SIGKILL)
    assert not left
    finished = results(directory)
    assert 3 <= len(finished) < 6
    law_rl(*GRID, "--out", str(directory), "--resume")
    assert {name: entry for name, entry in results(directory).items() if name in finished} == finished
    undisturbed, _ = tuned
    for name in ("result.json", "trials.csv"):
        assert (directory / name).read_text() == (undisturbed / name).read_text()
    hashes = [Schedule.load(path / "schedule.safetensors").hash for path in (directory, undisturbed)]
    assert hashes[0] == hashes[1]


def test_json_is_printed_alone_and_a_finished_run_ends_at_once(tuned: tuple[Path, str]) -> None:
    directory, _ = tuned
    before = results(directory)
    out, _ = law_rl(*GRID, "--out", str(directory), "--resume", "--json")
    assert json.loads(out) == json.loads((directory / "result.json").read_text())
    assert results(directory) == before


def test_another_tuning_cannot_resume_a_run(tuned: tuple[Path, str]) -> None:
    arguments = [*GRID, "--out", str(tuned[0]), "--resume", "--seed", "1"]
    assert "another tuning (tuning differ)" in law_rl(*arguments, status=2)[1]


def test_what_trainings_share_is_made_before_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(task: ClassificationTask, observer: Callable[[int, int], None]) -> None:
        raise ValueError(f"the teacher on {task.data.name} does not converge")

    monkeypatch.setattr(ClassificationTask, "prepare", prepare)
    error = law_rl(*GRID, "--out", str(tmp_path / "run"), status=2)[1]
    assert "the teacher on digits does not converge" in error
    assert not (tmp_path / "run" / "trials").exists()


def test_storage_of_another_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "storage" / "run" / "000-abc").mkdir(parents=True)
    storage = ("--storage", f"file://{tmp_path}/storage", "--out", str(tmp_path / "run"))
    assert "holds the trials of another run" in law_rl(*GRID, *storage, status=2)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quickstart",), "assign a law_rl.tuning.Space to `space`"),
        (("quickstart_space", "--agent.sigma", "0.3"), "--agent.sigma is in the space"),
        (("quickstart_space", "--trials", "0"), "trials is 0"),
        (("quickstart_space", "--workers", "-1"), "workers is -1"),
        (("quickstart_space", "--cpus", "4096", "--out", "OUT"), "ask for 4096 CPU"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(
    ray_session: ModuleType, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    error = law_rl("tune", *(str(tmp_path / "out") if one == "OUT" else one for one in arguments), status=2)[1]
    assert words in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_the_experiment_of_a_space_is_found_as_search_finds_it() -> None:
    by_path = project.load_module("experiments/quickstart_space.py", ROOT)
    assert by_path is project.load_module("quickstart_space", ROOT)
