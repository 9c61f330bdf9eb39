"""What one worker takes of a machine or a cluster."""

import re
from dataclasses import dataclass
from typing import Literal

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What each worker asks for, and how workers are laid over the nodes of a cluster.

    Sizes are bytes with a unit: "2GiB", "500MiB".
    """

    cpus: int = 1
    """CPUs, and threads, of a worker; another number of threads may change a schedule's last bits."""
    gpus: float | None = None
    """GPUs of a worker: a fraction shares one; default an equal share for trainings on CUDA."""
    memory: str = ""
    """Memory of a worker: Ray starts it where so much is free, and allocations beyond it fail; default no limit."""
    gpu_memory: str = ""
    """GPU memory that a worker may allocate; Ray's fractions alone limit nothing; default no limit."""
    placement: Literal["pack", "spread"] = "pack"
    """Workers on as few nodes as possible, or on as many."""

    elastic: bool = False
    """The cluster adds nodes when asked: wait for them instead of refusing what it cannot hold now."""

    def __post_init__(self) -> None:
        if self.cpus < 1:
            raise ValueError(f"cpus is {self.cpus}: give each worker at least 1")
        gpus = self.gpus or 0.0
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise ValueError(f"gpus is {gpus}: give a fraction up to 1, or a whole number")
        if self.placement not in ("pack", "spread"):
            raise ValueError(f"placement is {self.placement!r}: give pack or spread")
        for name in ("memory", "gpu_memory"):
            size_in_bytes(getattr(self, name), name)

    @property
    def memory_bytes(self) -> int:
        """Bytes of `memory`, 0 for no limit."""
        return size_in_bytes(self.memory, "memory")

    @property
    def gpu_memory_bytes(self) -> int:
        """Bytes of `gpu_memory`, 0 for no limit."""
        return size_in_bytes(self.gpu_memory, "gpu_memory")


def size_in_bytes(text: str, name: str) -> int:
    """Bytes of "2GiB", "500M" or "1000"; 0 for an empty text. ValueError naming the field where it is no size."""
    if not text:
        return 0
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{name} is {text!r}: give a size such as 2GiB or 500MiB")
    return int(float(match[1]) * _UNITS[match[2]])
