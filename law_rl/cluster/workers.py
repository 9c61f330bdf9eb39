"""Workers as Ray actors: whole trainings side by side, and a replacement for every worker that dies."""

import logging
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from law_rl.jobs import Job, Setting, WorkerState

ATTEMPTS = 4


class WorkerFailed(RuntimeError):
    """A job could not be done on any worker."""


class _Worker:
    def __init__(self, setting: Setting, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._state = WorkerState(setting)

    def run(self, job: Job) -> Any:
        return self._state.run(job)


class RayWorkers:
    """`count` Ray actors with one CPU and one thread each, on a Ray of this machine unless one is running already.

    A worker that dies is replaced and its job begun again; a job that outlives no worker in four attempts ends the run.
    The workers find `envs`, `policies` and `experiments` in the project root.
    """

    def __init__(self, setting: Setting, *, count: int, root: Path) -> None:
        if count < 1:
            raise ValueError(f"workers is {count}: give at least 1, or 0 to run in this process without Ray")
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            start_ray(count)
        path = os.pathsep.join(entry for entry in (str(root), os.environ.get("PYTHONPATH", "")) if entry)
        environment = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        gpus = gpu_share(setting.task.device, count)
        self._actor_class = ray.remote(num_cpus=1, num_gpus=gpus, runtime_env={"env_vars": environment})(_Worker)
        self._setting = ray.put(setting)
        self._idle: list[Any] = [self._start_worker() for _ in range(count)]
        self._queue: deque[tuple[str, Job, int]] = deque()
        self._running: dict[Any, tuple[Any, str, Job, int]] = {}

    def _start_worker(self) -> Any:
        return self._actor_class.remote(self._setting, 1)

    def submit(self, key: str, job: Job) -> None:
        self._queue.append((key, job, 1))
        self._dispatch()

    def _dispatch(self) -> None:
        while self._idle and self._queue:
            worker = self._idle.pop()
            key, job, attempt = self._queue.popleft()
            self._running[worker.run.remote(job)] = (worker, key, job, attempt)

    def results(self) -> Iterator[tuple[str, Any]]:
        """Yields (key, result) as jobs end, until none is left; jobs may be submitted in between."""
        while self._running:
            (reference, *_), _ = ray.wait(list(self._running), num_returns=1)
            worker, key, job, attempt = self._running.pop(reference)
            try:
                result = ray.get(reference)
            except RayActorError as error:
                self._replace(key, job, attempt, error)
                continue
            except RayTaskError as error:
                if isinstance(error.cause, ValueError | OSError):
                    raise error.cause from None
                raise WorkerFailed(f"{key} failed on its worker: {error.cause}") from error
            self._idle.append(worker)
            self._dispatch()
            yield key, result

    def _replace(self, key: str, job: Job, attempt: int, error: RayActorError) -> None:
        if attempt >= ATTEMPTS:
            raise WorkerFailed(
                f"{key} outlived no worker in {ATTEMPTS} attempts ({error}): the machine may be short of memory, "
                "try fewer workers"
            ) from error
        self._queue.appendleft((key, job, attempt + 1))
        self._idle.append(self._start_worker())
        self._dispatch()

    def close(self) -> None:
        """Ends the workers, and Ray where it was started here."""
        for worker in [*self._idle, *(worker for worker, *_ in self._running.values())]:
            ray.kill(worker)
        self._idle, self._running = [], {}
        self._queue.clear()
        if self._owns_ray:
            ray.shutdown()


def gpu_share(device: str, workers: int) -> float:
    """The GPUs a worker asks of Ray: an equal share of all for trainings on CUDA, none else."""
    if not device.startswith("cuda"):
        return 0.0
    gpus = float(ray.cluster_resources().get("GPU", 0.0))  # type: ignore[no-untyped-call]
    if gpus == 0:
        raise ValueError(f"the training's device is {device}, but Ray sees no GPU: set --task.training.device cpu")
    return gpus / workers if gpus < workers else 1.0


def start_ray(cpus: int) -> None:
    """Joins the Ray at RAY_ADDRESS, or starts one of this machine: no dashboard, its messages kept off the terminal."""
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
        return
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
