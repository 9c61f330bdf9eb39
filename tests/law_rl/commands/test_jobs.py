"""`law-rl submit` and `law-rl jobs` as a user types them, against a cluster with a token; and what they refuse."""

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from law_rl.cli import main
from law_rl.cluster.ray_jobs import ClusterJob
from law_rl.commands.arguments import SubmitCommand
from law_rl.commands.jobs import check_storage, describe, directory_to_resume, entrypoint, from_root, pull, wait
from law_rl.resources import Resources
from law_rl.schedule import Schedule

ROOT = Path(__file__).parents[3]
LAW_RL = [sys.executable, "-m", "law_rl.cli"]
TINY = [
    *("--task.data.train", "120", "--task.data.validation", "60", "--task.training.network.width", "8"),
    *("--task.training.epochs", "4", "--task.training.stages", "4", "--env.pool", "2", "--env.warmup", "1"),
    *("--search.episodes", "10", "--agent.population", "4", "--evaluation.seeds", "2"),
]
JOB = ClusterJob(
    id="quickstart-12345678",
    state="STOPPED",
    experiment="quickstart",
    verb="search",
    out="/shared/quickstart-12345678",
    law_rl="0.1.0",
    started=1.0,
    ended=2.0,
    message="",
    exit_code=None,
    node="node",
)


class User:
    """Someone at a shell with the token, on another machine than the cluster: their home is elsewhere."""

    def __init__(self, url: str, environment: dict[str, str]) -> None:
        self.environment = environment | {"RAY_API_SERVER_ADDRESS": url, "PYTHONPATH": str(ROOT)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*LAW_RL, *arguments], cwd=ROOT, env=self.environment, text=True, **pipes)

    def law_rl(self, *arguments: str, status: int = 0, **variables: str) -> tuple[str, str]:
        environment = self.environment | variables
        done = subprocess.run(
            [*LAW_RL, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout, done.stderr


@pytest.fixture(scope="module")
def user(start_head: Callable[[dict[str, str]], Any], tmp_path_factory: pytest.TempPathFactory) -> User:
    home = tmp_path_factory.mktemp("home")
    (home / "token").write_text("a" * 32)
    head = start_head({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(home / "token")})
    return User(head.url, head.environment | {"HOME": str(home)})


@pytest.mark.ray
def test_a_submitted_search_ends_with_the_schedule_of_a_local_one(user: User, tmp_path: Path) -> None:
    out, error = user.law_rl("submit", "experiments/quickstart.py", "--workers", "1", "--wait", "--json", *TINY)
    job = json.loads(out)
    assert (job["state"], job["exit_code"], job["experiment"]) == ("SUCCEEDED", 0, "quickstart")
    assert re.search(r"sending \d+ files, \d+\.\d MiB, to http", error)
    assert "search, gain" in error and "learned over uniform" in error

    assert user.law_rl("jobs", "pull", "--out", str(tmp_path / "back"))[0].startswith(f"{tmp_path / 'back'}: ")
    with pytest.raises(SystemExit, match="0"):
        main(["search", "quickstart", "--workers", "0", "--out", str(tmp_path / "here"), *TINY])
    names = {str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*")}
    assert names == {str(path.relative_to(tmp_path / "back")) for path in (tmp_path / "back").rglob("*")}
    back, here = (Schedule.load(tmp_path / place / "schedule.safetensors") for place in ("back", "here"))
    assert back.hash == here.hash


@pytest.mark.ray
def test_a_job_goes_on_without_its_watcher_until_it_is_stopped(user: User) -> None:
    watcher = user.start("submit", "quickstart", "--workers", "1", "--wait", *TINY, "--search.episodes", "5000")
    assert watcher.stdout is not None
    for line in watcher.stdout:
        if line.startswith("Running entrypoint"):
            break
    watcher.send_signal(signal.SIGINT)
    _, error = watcher.communicate(timeout=60)
    assert watcher.returncode == 1, error
    identity = re.findall(r"law-rl: (\S+) goes on: `law-rl jobs logs", error)[0]

    assert f"{identity}: running since" in user.law_rl("jobs", "status")[0]
    assert user.law_rl("jobs", "stop")[0].startswith(f"{identity}: stopped; ")
    assert json.loads(user.law_rl("jobs", "status", identity, "--json", status=1)[0])["state"] == "STOPPED"
    assert "Running entrypoint" in user.law_rl("jobs", "logs", identity, "-f", status=1)[0]


@pytest.mark.ray
@pytest.mark.parametrize(
    ("variables", "got"),
    [({"RAY_AUTH_TOKEN": "b" * 32}, "got another"), ({"RAY_AUTH_MODE": "disabled"}, "got none")],
)
def test_without_the_token_the_remedy_is_named(user: User, variables: dict[str, str], got: str) -> None:
    error = user.law_rl("jobs", "list", status=2, **variables)[1]
    assert got in error and "RAY_AUTH_TOKEN" in error
    assert len(error.strip().splitlines()) == 1


def test_the_entrypoint_is_the_command_on_the_cluster() -> None:
    command = SubmitCommand(experiment="x", workers=3, resources=Resources(gpus=0.5, gpu_memory="2GiB"))
    overrides = ["--task.data.path", "a b", "--search.episodes", "9"]
    assert entrypoint(command, "experiments/x.py", "~/runs of me/x-1", overrides) == (
        "python -m law_rl.cli search experiments/x.py --workers 3 --gpus 0.5 --gpu-memory 2GiB "
        "--out ~/'runs of me/x-1' --task.data.path 'a b' --search.episodes 9"
    )
    command = SubmitCommand(experiment="x", tune="asha", trials=20, resume="x-tune-1")
    assert entrypoint(command, "x", "/shared/x-tune-1", []) == (
        "python -m law_rl.cli tune x --algorithm asha --trials 20 --resume --out /shared/x-tune-1"
    )


def test_an_experiment_is_named_as_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").touch()
    monkeypatch.chdir(tmp_path / "experiments")
    assert from_root("mine.py", tmp_path) == "experiments/mine.py"
    assert from_root("mine", tmp_path) == "mine"


def test_a_job_that_ended_early_is_gone_on_with() -> None:
    assert directory_to_resume(JOB, "search", "quickstart") == JOB.out
    with pytest.raises(ValueError, match="has not ended: stop it first"):
        directory_to_resume(replace(JOB, state="RUNNING"), "search", "quickstart")
    with pytest.raises(ValueError, match="nothing left to do"):
        directory_to_resume(replace(JOB, state="SUCCEEDED"), "search", "quickstart")
    with pytest.raises(ValueError, match="was a search of quickstart, and this is a tune of quickstart"):
        directory_to_resume(JOB, "tune", "quickstart")


def test_storage_is_a_directory() -> None:
    assert check_storage("/shared/runs/") == "/shared/runs"
    for storage in ("runs", "s3://bucket/runs"):
        with pytest.raises(ValueError, match=f"storage is {storage}: give a directory"):
            check_storage(storage)


def test_the_status_says_what_went_wrong() -> None:
    failed = replace(JOB, state="FAILED", exit_code=2, message="Job failed, last logs:\nlaw-rl: width is 0\n\n")
    text = describe(failed)
    assert text.startswith("quickstart-12345678: failed with exit status 2 since 1970")
    assert text.endswith("law-rl: width is 0")


@pytest.fixture
def cluster() -> Any:
    """A cluster with one job, which printed a line and ended with exit status 4."""
    job = replace(JOB, state="FAILED", exit_code=4)
    return SimpleNamespace(job=lambda identity: job, follow=lambda identity: iter(["a line\n"]))


def test_waiting_ends_with_the_status_of_the_job(cluster: Any) -> None:
    told = io.StringIO()
    with pytest.raises(SystemExit, match="4"):
        wait(cluster, JOB.id, told, as_json=False)
    assert told.getvalue().startswith("a line\nquickstart-12345678: failed with exit status 4")


def test_a_run_that_is_seen_from_here_is_pulled_without_the_cluster(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "config.json").write_text("{}")
    job = replace(JOB, state="RUNNING", out=str(tmp_path / "shared"))
    pull(cluster, job, tmp_path / "back", 2**20)
    assert (tmp_path / "back" / "config.json").read_text() == "{}"
    assert "1 files; the job has not ended" in capsys.readouterr().out
    with pytest.raises(ValueError, match="is there already"):
        pull(cluster, job, tmp_path / "back", 2**20)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No cluster is named in the environment."""
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("jobs", "status"), "no cluster is named"),
        (("jobs", "list", "--address", "127.0.0.1:1"), "no Ray cluster answers at http://127.0.0.1:1"),
        (("submit", "quickstart", "--address", "127.0.0.1:1"), "no Ray cluster answers at http://127.0.0.1:1"),
        (("submit", "quikstart"), "quickstart"),
        (("submit", "quickstart", "--trials", "3"), "only a submit with --tune"),
        (("submit", "quickstart", "--limit", "1kB"), "--limit"),
        (("submit", "quickstart", "--storage", "runs"), "storage is runs"),
        (("jobs", "list", "--search.episodes", "3"), "--search.episodes changes an experiment"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1
