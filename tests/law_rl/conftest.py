"""A Ray head of the tests' own: free ports, its own folders, and nothing left of it afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

import pytest

MARK = "LAW_RL_TEST_HEAD"
PORTS = (
    *("dashboard-port", "port", "ray-client-server-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port"),
    *("runtime-env-agent-port", "metrics-export-port", "node-manager-port", "object-manager-port"),
)
WORKER_PORTS = 24
START_S = 120.0


@dataclass(frozen=True)
class Head:
    """A running Ray head; `environment` is that of a user on its machine."""

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def start_head() -> Iterator[Callable[[dict[str, str]], Head]]:
    """Starts heads with environment variables of their own; all end with the module's tests.

    The Ray of other modules is ended first: a head beside it gets jobs that its own agent does not run.
    """
    import ray

    ray.shutdown()
    with ExitStack() as stack:
        yield lambda variables: stack.enter_context(_running(variables))


@contextmanager
def _running(variables: dict[str, str]) -> Iterator[Head]:
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # sockets lie in it: their paths must be short
    environment = _environment(folder) | variables
    dashboard, *ports = _free_ports(len(PORTS))
    url, log = f"http://127.0.0.1:{dashboard}", folder / "head.log"
    with log.open("wb") as output:
        head = subprocess.Popen(
            _command(folder, [dashboard, *ports]),
            env=environment | {MARK: str(folder)},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(url, head, log)
        yield Head(url, environment)
    finally:
        _end(folder)
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHONPATH"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return kept | {"PATH": path, "HOME": str(folder), "OMP_NUM_THREADS": "1", "COLUMNS": "160"}


def _command(folder: Path, ports: list[int]) -> list[str]:
    first = _free_range(WORKER_PORTS)
    return [
        *(str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--num-cpus=2"),
        *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", "--include-dashboard=true"),
        *(f"--temp-dir={folder / 't'}", f"--object-store-memory={80 * 2**20}", "--disable-usage-stats"),
        *(f"--min-worker-port={first}", f"--max-worker-port={first + WORKER_PORTS - 1}"),
        *(f"--{name}={port}" for name, port in zip(PORTS, ports, strict=True)),
    ]


def _await(url: str, head: "subprocess.Popen[bytes]", log: Path) -> None:
    """Waits until the dashboard answers, with whatever status."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"{url}/api/version", timeout=5).close()
        except HTTPError:
            return
        except OSError:
            assert head.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


def _end(folder: Path) -> None:
    """Kills every process that carries the head's mark, and those that they start meanwhile."""
    while marked := [process for process in _processes() if _carries(process, folder)]:
        for process in marked:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _carries(process: int, folder: Path) -> bool:
    """Whether a process has the mark in its environment; one that has ended and waits for its parent has none."""
    try:
        return f"{MARK}={folder}".encode() in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _free_range(count: int) -> int:
    """The first of `count` free ports in a row, below those that the system hands out."""
    for first in range(20000 + os.getpid() % 300 * 30, 32000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports in a row")
