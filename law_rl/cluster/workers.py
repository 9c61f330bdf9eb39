"""Workers as Ray actors: whole trainings side by side, and a replacement for every worker that is lost."""

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from law_rl.cluster.placement import Placement, with_gpu_share
from law_rl.cluster.session import start_ray, worker_environment
from law_rl.cluster.worker import OutOfMemory, Worker
from law_rl.failures import Failure, JobFailed, TrainingRaised
from law_rl.jobs import Job, Setting
from law_rl.resources import Resources

_logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a training that raises is tried, each time on another worker."""
LIVES = 5
"""How many workers one training may lose: by death, silence or lack of memory."""
STARTING = 60.0
"""Seconds without any worker after which the run says that it waits."""


@dataclass(frozen=True, kw_only=True)
class _Slot:
    """A worker and its number among the places."""

    number: int
    actor: Any


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A job in the queue or on a worker, with the workers that it lost and the errors that it raised so far."""

    key: str
    job: Job
    lost: int = 0
    raised: int = 0


class RayWorkers:
    """`count` Ray actors that run jobs: on the Ray that this process is in, the one at RAY_ADDRESS, or a new one here.

    A worker that dies, runs out of memory or is silent for `deadline` seconds is replaced, and its job begun again; a
    job that loses five workers ends the run, and so does one that raises on three. `deadline` 0: ten times the longest
    job so far and a minute. Workers find `envs`, `policies` and `experiments` in the project root.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        count: int,
        root: Path,
        resources: Resources | None = None,
        deadline: float = 0.0,
    ) -> None:
        resources = resources or Resources()
        if count < 1:
            raise ValueError(f"workers is {count}: give at least 1, or 0 to run in this process without Ray")
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            start_ray(count * resources.cpus)
        try:
            self._resources = with_gpu_share(resources, setting.task.device, count)
            self._placement = Placement(self._resources, count)
        except ValueError:
            self._stop_ray()
            raise
        self._options = actor_options(root, self._resources)
        self._setting = ray.put(setting)
        self._deadline, self._longest = deadline, 0.0
        self._queue: deque[_Task] = deque()
        self._idle: list[_Slot] = []
        self._starting: dict[Any, _Slot] = {}
        self._running: dict[Any, tuple[_Slot, _Task, float]] = {}
        self._failed_starts = 0
        for number in range(count):
            self._start(number)

    def _start(self, number: int) -> None:
        options = self._options | self._placement.options(number)
        actor: Any = ray.remote(Worker).options(**options).remote(self._setting, self._resources)
        self._starting[actor.ready.remote()] = _Slot(number=number, actor=actor)

    def submit(self, key: str, job: Job) -> None:
        self._queue.append(_Task(key=key, job=job))
        self._dispatch()

    def _dispatch(self) -> None:
        while self._idle and self._queue:
            slot, task = self._idle.pop(), self._queue.popleft()
            self._running[slot.actor.run.remote(task.job)] = (slot, task, time.monotonic())

    def results(self) -> Iterator[tuple[str, Any]]:
        """Yields (key, result) as jobs end, until none is left; jobs may be submitted in between.

        Raises JobFailed where a job cannot be done, and a job's own ValueError or OSError where it found bad input.
        """
        while self._running or self._queue:
            references = [*self._starting, *self._running]
            done, _ = ray.wait(references, num_returns=1, timeout=self._until_next_look())
            if not done and not self._running and not self._idle:
                _logger.warning("no worker has started yet: others hold what this run waits for, see `ray status`")
            for reference in done:
                if reference in self._starting:
                    self._started(reference)
                else:
                    yield from self._ended(reference)
            self._replace_silent()

    def _started(self, reference: Any) -> None:
        slot = self._starting.pop(reference)
        try:
            ray.get(reference)
        except RayActorError as error:
            self._failed_starts += 1
            if error.actor_init_failed or self._failed_starts >= LIVES:
                raise JobFailed(f"a worker does not start: {_one_line(error)}") from error
            self._start(slot.number)
            return
        self._failed_starts = 0
        self._idle.append(slot)
        self._dispatch()

    def _ended(self, reference: Any) -> Iterator[tuple[str, Any]]:
        slot, task, begun = self._running.pop(reference)
        try:
            result = ray.get(reference)
        except RayTaskError as error:
            self._raised(slot, task, error)
            return
        except RayError as error:
            self._lost(slot, task, f"its worker died ({_one_line(error)})")
            return
        self._longest = max(self._longest, time.monotonic() - begun)
        self._idle.append(slot)
        self._dispatch()
        yield task.key, result

    def _raised(self, slot: _Slot, task: _Task, error: RayTaskError) -> None:
        cause = error.cause
        if isinstance(cause, OutOfMemory):
            self._lost(slot, task, f"its worker was out of memory ({cause})")
            return
        if isinstance(cause, ValueError | OSError):
            raise cause from None
        failure = cause.failure if isinstance(cause, TrainingRaised) else None
        raised = task.raised + 1
        if raised >= ATTEMPTS:
            raise JobFailed(_raised_text(task.key, failure, error), failure) from error
        _logger.warning("%s begins anew on another worker: it raised %s", task.key, _one_line(cause))
        self._begin_anew(slot, _Task(key=task.key, job=task.job, lost=task.lost, raised=raised))

    def _lost(self, slot: _Slot, task: _Task, why: str) -> None:
        lost = task.lost + 1
        if lost >= LIVES:
            raise JobFailed(
                f"{task.key} lost {LIVES} workers, the last as {why}: the machine may be short of memory (try fewer "
                "workers) or the deadline too short (--deadline)"
            )
        _logger.warning("%s begins anew on another worker: %s", task.key, why)
        self._begin_anew(slot, _Task(key=task.key, job=task.job, lost=lost, raised=task.raised))

    def _begin_anew(self, slot: _Slot, task: _Task) -> None:
        self._queue.appendleft(task)
        ray.kill(slot.actor)
        self._start(slot.number)
        self._dispatch()

    def _patience(self) -> float | None:
        """Seconds that a job may take; None while that is not known."""
        if self._deadline > 0:
            return self._deadline
        return 10 * self._longest + 60 if self._longest > 0 else None

    def _until_next_look(self) -> float | None:
        patience = self._patience()
        if not self._running:
            return STARTING
        if patience is None:
            return None
        oldest = min(begun for _, _, begun in self._running.values())
        return max(0.0, oldest + patience - time.monotonic()) + 0.01

    def _replace_silent(self) -> None:
        patience = self._patience()
        if patience is None:
            return
        now = time.monotonic()
        silent = [reference for reference, (_, _, begun) in self._running.items() if now - begun > patience]
        for reference in silent:
            slot, task, _ = self._running.pop(reference)
            self._lost(slot, task, f"it was silent for {patience:.0f} s")

    def close(self) -> None:
        """Ends the workers, and Ray where it was started here."""
        busy = (slot for slot, _, _ in self._running.values())
        for slot in [*self._idle, *self._starting.values(), *busy]:
            ray.kill(slot.actor)
        self._idle, self._starting, self._running = [], {}, {}
        self._queue.clear()
        self._placement.close()
        self._stop_ray()

    def _stop_ray(self) -> None:
        if self._owns_ray:
            ray.shutdown()


def actor_options(root: Path, resources: Resources) -> dict[str, Any]:
    """Ray's options for an actor that has these resources and finds the project."""
    asked: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus or 0}
    if resources.memory_bytes:
        asked["memory"] = resources.memory_bytes
    return asked | {"runtime_env": {"env_vars": worker_environment(root, resources)}}


def _raised_text(key: str, failure: Failure | None, error: RayTaskError) -> str:
    what = str(TrainingRaised(failure)) if failure is not None else _one_line(error.cause)
    return f"{key} raised on {ATTEMPTS} workers: {what}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
