"""One worker: a Ray actor that runs whole trainings."""

import resource
from pathlib import Path
from typing import Any

import torch

from law_rl.cluster.session import share_decoded_data
from law_rl.failures import is_out_of_memory
from law_rl.jobs import Job, Setting, WorkerState
from law_rl.resources import Resources

STATUS = Path("/proc/self/status")
"""Linux's account of this process; elsewhere Ray only counts the memory that workers ask for."""


class OutOfMemory(RuntimeError):
    """A training could not allocate on its worker."""


class Worker:
    """Runs jobs one after the other, with as many threads as it has CPUs and no more memory than it asked for."""

    def __init__(self, setting: Setting, resources: Resources) -> None:
        torch.set_num_threads(resources.cpus)
        share_decoded_data()
        limit_memory(resources, setting.task.device)
        self._state = WorkerState(setting)

    def ready(self) -> None:
        """Answers as soon as the worker can take jobs."""

    def run(self, job: Job) -> Any:
        """The job's result; OutOfMemory where it could not allocate."""
        try:
            return self._state.run(job)
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory(str(error) or "Python could not allocate") from None
            raise


def limit_memory(resources: Resources, device: str) -> None:
    """Makes allocations beyond the resources fail: on the GPU by torch's cap, on the CPU by the limit on data."""
    if device.startswith("cuda") and resources.gpu_memory_bytes:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(resources.gpu_memory_bytes / total, 1.0), device)
    if not device.startswith("cuda") and resources.memory_bytes and STATUS.is_file():
        limit = data_bytes() + resources.memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def data_bytes() -> int:
    """Bytes of private writable memory that this process has mapped."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
