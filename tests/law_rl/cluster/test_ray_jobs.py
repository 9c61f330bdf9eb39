"""Jobs on a cluster without a token, from this process; tests/law_rl/commands/test_jobs.py types the commands."""

import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from law_rl import __version__
from law_rl.cluster.archive import unpack
from law_rl.cluster.ray_jobs import Cluster, ClusterJob, resolve_address, submission_id

LIMIT = 2**20


@pytest.fixture(scope="module")
def cluster(start_head: Callable[[dict[str, str]], Any]) -> Cluster:
    return Cluster(start_head({"RAY_AUTH_MODE": "disabled"}).url)


@pytest.fixture
def send(cluster: Cluster, tmp_path: Path) -> Callable[..., ClusterJob]:
    """Sends a shell command with one file, word.txt."""
    package = tmp_path / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("word.txt", "hello")

    def submit(command: str, out: str = "") -> ClusterJob:
        metadata = {"experiment": "tiny", "verb": "search", "out": out}
        return cluster.submit(package, identity=submission_id("tiny"), entrypoint=command, metadata=metadata)

    return submit


@pytest.mark.ray
def test_a_job_runs_in_the_package_and_is_listed(cluster: Cluster, send: Callable[..., ClusterJob]) -> None:
    sent = send("sleep 1; cat word.txt; sleep 2; echo; echo again; exit 3", "~/somewhere")
    log = "".join(cluster.follow(sent.id))
    assert log.endswith("\nhello\nagain\n"), log
    job = cluster.finished(sent.id)
    assert (job.state, job.exit_code, job.over) == ("FAILED", 3, True)
    assert (job.experiment, job.verb, job.out, job.law_rl) == ("tiny", "search", "~/somewhere", __version__)
    assert job.started is not None and job.ended is not None and 3 <= job.ended - job.started < 60
    assert list(cluster.follow(sent.id)) == [log] == [cluster.log(sent.id)]
    assert cluster.job() == job == cluster.jobs()[0]


@pytest.mark.ray
def test_a_run_directory_is_fetched_by_a_helper_that_is_not_listed(
    cluster: Cluster, send: Callable[..., ClusterJob], tmp_path: Path
) -> None:
    out = "~/a run"
    job = cluster.finished(send('mkdir -p "$HOME/a run/deep"; cp word.txt "$HOME/a run/deep/"', out).id)
    unpack(cluster.fetch(job, LIMIT), tmp_path / "back", LIMIT)
    assert [path.read_text() for path in (tmp_path / "back").rglob("*.txt")] == ["hello"]
    elsewhere = ClusterJob(**(vars(job) | {"out": "~/nowhere"}))
    with pytest.raises(ValueError, match=f"{job.id} cannot be pulled: there is no .*nowhere on this node"):
        cluster.fetch(elsewhere, LIMIT)
    assert {entry.experiment for entry in cluster.jobs()} == {"tiny"}


@pytest.mark.ray
def test_a_job_is_stopped(cluster: Cluster, send: Callable[..., ClusterJob]) -> None:
    job = cluster.stop(send("sleep 600").id, wait=True)
    assert (job.state, job.over) == ("STOPPED", True)


@pytest.mark.ray
def test_what_is_not_there_is_named(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="has no job missing: `law-rl jobs list`"):
        cluster.log("missing")


@pytest.mark.ray
def test_another_version_of_ray_is_refused(
    cluster: Cluster, send: Callable[..., ClusterJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster._client, "_server_ray_version", "2.1.0")
    with pytest.raises(ValueError, match=r"runs Ray 2\.1\.0, and here is Ray 2\.\d+\.\d+: install .*ray.*==2\.1\.0"):
        send("true")


@pytest.mark.ray
def test_the_address_given_counts_whatever_the_environment_says(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:2")
    assert Cluster(cluster.address).address == cluster.address


class Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_that_is_no_ray_is_called_so(stranger: str) -> None:
    with pytest.raises(ValueError, match=f"what answers at {stranger} is no dashboard of Ray"):
        Cluster(stranger)


def test_no_server_is_called_so() -> None:
    with pytest.raises(ConnectionError, match=r"no Ray cluster answers at http://127\.0\.0\.1:1: check the address"):
        Cluster("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("address", "environment", "url"),
    [
        ("http://here:8265/", {"RAY_API_SERVER_ADDRESS": "http://there:1"}, "http://here:8265"),
        ("here:8265", {}, "http://here:8265"),
        ("", {"RAY_API_SERVER_ADDRESS": "https://there:1", "RAY_ADDRESS": "http://b:1"}, "https://there:1"),
        ("", {"RAY_ADDRESS": "http://b:1"}, "http://b:1"),
    ],
)
def test_the_address_is_the_one_given_or_that_of_the_environment(
    address: str, environment: dict[str, str], url: str
) -> None:
    assert resolve_address(address, environment) == url


@pytest.mark.parametrize("address", ["", "ray://here:10001"])
def test_an_address_that_is_no_dashboard_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:8265"):
        resolve_address(address, {"RAY_ADDRESS": "10.0.0.1:6379"})


def test_an_identity_is_fit_for_files_and_new() -> None:
    first, second = submission_id("a b/c.d"), submission_id("a b/c.d")
    assert first != second
    assert first[:-8] == second[:-8] == "a-b-c-d-"
