"""Ray Jobs: sends runs to a cluster and asks after them; everything that can go wrong there is said in a sentence."""

import asyncio
import logging
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
import ray
import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient

import law_rl
from law_rl.cluster import archive

SERVER = "RAY_API_SERVER_ADDRESS"
NODE_LABEL = "ray.io/node-id"
ANSWER_S = 10.0
POLL_S = 0.5
START_S = 120.0
STOP_S = 60.0


@dataclass(frozen=True, kw_only=True)
class ClusterJob:
    """A run that law-rl sent to a cluster.

    `state` is PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED; `started` and `ended` are seconds since 1970; `out` is
    the run directory as the cluster's node names it; `node` is the identity of the node that runs it.
    """

    id: str
    state: str
    experiment: str
    verb: str
    out: str
    law_rl: str
    started: float | None
    ended: float | None
    message: str
    exit_code: int | None
    node: str | None

    @property
    def over(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.state in ("STOPPED", "SUCCEEDED", "FAILED")


def resolve_address(address: str, environment: Mapping[str, str]) -> str:
    """The URL of a cluster's dashboard: the one given, else of the environment as Ray names it. ValueError without
    one.
    """
    from_ray = environment.get("RAY_ADDRESS", "")
    url = address or environment.get(SERVER, "") or (from_ray if from_ray.startswith(("http://", "https://")) else "")
    if not url:
        raise ValueError(f"no cluster is named: give --address http://HOST:8265, or set {SERVER}")
    url = url if "://" in url else f"http://{url}"
    if not re.fullmatch(r"https?://[^/]+/?.*", url):
        raise ValueError(f"address is {url}: give the cluster's dashboard, http://HOST:8265")
    return url.rstrip("/")


def submission_id(name: str) -> str:
    """A new identity for a job: a name fit for files, and eight random digits."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}-{token_hex(4)}"


class Cluster:
    """The jobs of the cluster whose dashboard is at `address`.

    Raises ConnectionError where none answers, ValueError where it refuses the token (which is Ray's: RAY_AUTH_MODE and
    RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH) and for jobs that it does not have.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        for module in ("dashboard_sdk", "job.sdk"):
            logging.getLogger(f"ray.dashboard.modules.{module}").setLevel(logging.WARNING)
        with self._sentences(), _named_to_ray(address):
            requests.get(f"{address}/api/version", timeout=ANSWER_S)  # Ray's own client would wait for minutes
            self._client = JobSubmissionClient(address)

    def submit(self, package: Path, *, identity: str, entrypoint: str, metadata: Mapping[str, str]) -> ClusterJob:
        """Starts a shell command on the cluster in a copy of the zip file `package`; returns at once."""
        self._check_version()
        with self._sentences():
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=identity,
                runtime_env={"working_dir": str(package)},
                metadata={"law_rl": law_rl.__version__, **metadata},
            )
        return self.job(identity)

    def _check_version(self) -> None:
        here, there = ray.__version__, str(self._client._server_ray_version)
        if here.split(".")[:2] != there.split(".")[:2]:
            raise ValueError(
                f"the cluster at {self.address} runs Ray {there}, and here is Ray {here}: install the cluster's "
                f"version here (pip install 'ray[default,tune]=={there}'), or this one there"
            )

    def jobs(self) -> list[ClusterJob]:
        """The jobs that law-rl sent, newest first."""
        with self._sentences():
            details = self._client.list_jobs()
        found = [_job(entry) for entry in details if entry.submission_id and "law_rl" in (entry.metadata or {})]
        return sorted(found, key=lambda job: job.started or 0.0, reverse=True)

    def job(self, identity: str = "") -> ClusterJob:
        """The job as it stands; the newest without an identity."""
        if identity:
            with self._sentences():
                return _job(self._client.get_job_info(identity))
        newest = next(iter(self.jobs()), None)
        if newest is None:
            raise ValueError(f"the cluster at {self.address} has no job of law-rl: send one with `law-rl submit`")
        return newest

    def log(self, identity: str) -> str:
        """What the job has printed so far."""
        with self._sentences():
            return str(self._client.get_job_logs(identity))

    def follow(self, identity: str) -> Iterator[str]:
        """Yields the job's log from its beginning, as it grows, until the job ends; goes on after a lost connection."""
        if self.job(identity).over:
            yield self.log(identity)
            return
        seen = 0
        while True:
            position = 0
            try:
                for text in self._tail(identity):
                    new = text[max(seen - position, 0) :]
                    position += len(text)
                    seen = max(seen, position)
                    if new:
                        yield new
            except (RuntimeError, OSError, aiohttp.ClientError):
                pass  # the next question says it, if the cluster is gone
            if self.job(identity).over:
                return
            time.sleep(POLL_S)

    def _tail(self, identity: str) -> Iterator[str]:
        """One connection's worth of log."""
        stream = self._client.tail_job_logs(identity)

        async def read() -> str | None:
            return await anext(stream, None)

        with asyncio.Runner() as runner:
            while (text := runner.run(read())) is not None:
                yield text

    def stop(self, identity: str, *, wait: bool) -> ClusterJob:
        """Asks the job to stop, and waits until it has; RuntimeError where that takes more than a minute."""
        with self._sentences():
            self._client.stop_job(identity)
        if not wait:
            return self.job(identity)
        return self._wait(identity, lambda job: job.over, STOP_S, "has not stopped")

    def finished(self, identity: str) -> ClusterJob:
        """The job once it has ended."""
        return self._wait(identity, lambda job: job.over, float("inf"), "")

    def _wait(self, identity: str, done: Callable[[ClusterJob], bool], seconds: float, what: str) -> ClusterJob:
        deadline = time.monotonic() + seconds
        while not done(job := self.job(identity)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{identity} {what} after {seconds:.0f} s (it is {job.state}): {job.message}")
            time.sleep(POLL_S)
        return job

    def fetch(self, job: ClusterJob, limit: int) -> str:
        """The job's run directory as an archive in text, packed by a helper job on the node that has it.

        ValueError where the directory is not there or holds more than `limit` bytes.
        """
        source = Path(archive.__file__).read_text(encoding="utf-8")
        helper = submission_id("law-rl-pull")
        selector = {NODE_LABEL: job.node} if job.node else None
        entrypoint = shlex.join(["python", "-c", source, job.out, str(limit)])
        with self._sentences():
            self._client.submit_job(entrypoint=entrypoint, submission_id=helper, entrypoint_label_selector=selector)
        try:
            self._wait(helper, lambda job: job.state != "PENDING", START_S, f"cannot start on the node of {job.id}")
            done, log = self.finished(helper), self.log(helper)
        except BaseException:
            self.stop(helper, wait=False)
            raise
        if done.state != "SUCCEEDED":
            said = log.strip().splitlines() or [done.message]
            raise ValueError(f"{job.id} cannot be pulled: {said[-1]}")
        return log

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            got = "another" if "Invalid authentication token" in str(error) else "none"
            raise ValueError(
                f"the cluster at {self.address} asks for its token and got {got}: set RAY_AUTH_MODE=token and "
                "RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH, a file) to what `ray get-auth-token` prints on the cluster"
            ) from error
        except OSError as error:  # requests' errors are OSErrors too
            raise ConnectionError(
                f"no Ray cluster answers at {self.address}: check the address of its dashboard (http://HOST:8265), "
                "and that its port can be reached from here"
            ) from error
        except RuntimeError as error:
            raise _from_answer(str(error), self.address) from error


def _from_answer(text: str, address: str) -> Exception:
    """The exception for an answer of Ray's that was not 200."""
    if missing := re.search(r"status code 404: Job (\S+) does not exist", text):
        return ValueError(f"the cluster at {address} has no job {missing[1]}: `law-rl jobs list` names them")
    if "404" in text:
        return ValueError(f"what answers at {address} is no dashboard of Ray: give --address http://HOST:8265")
    return RuntimeError(f"the cluster at {address} refused: {text.strip().splitlines()[-1]}")


@contextmanager
def _named_to_ray(address: str) -> Iterator[None]:
    """For the block, the environment names `address`: Ray lets RAY_ADDRESS override the address that it is given."""
    before = os.environ.get(SERVER)
    os.environ[SERVER] = address
    try:
        yield
    finally:
        del os.environ[SERVER]
        if before is not None:
            os.environ[SERVER] = before


def _job(details: JobDetails) -> ClusterJob:
    metadata: dict[str, str] = details.metadata or {}
    return ClusterJob(
        id=str(details.submission_id),
        state=str(details.status.value),
        started=_seconds(details.start_time),
        ended=_seconds(details.end_time),
        message=details.message or "",
        exit_code=details.driver_exit_code,
        node=details.driver_node_id,
        **{name: metadata.get(name, "") for name in ("experiment", "verb", "out", "law_rl")},
    )


def _seconds(milliseconds: Any) -> float | None:
    return milliseconds / 1000 if milliseconds else None
