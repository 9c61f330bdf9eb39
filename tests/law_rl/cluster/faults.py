"""Trainings with a fault at one place: what a cluster does to them, for tests to survive."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from law_rl.files import write_atomic
from law_rl.learner import Directive, StageReport, Task

Fault = Literal["none", "dies", "hangs", "stops", "fills memory", "raises", "not finite"]


@dataclass(frozen=True, kw_only=True)
class FaultyTask:
    """`task`, whose training with seed `seed` meets a fault in stage `stage`: the first `times` times it gets there.

    Each time leaves a file in `marks` that names the process.
    """

    task: Task
    fault: Fault
    marks: str
    seed: int = 0
    stage: int = 2
    times: int = 1

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.task, name)

    def learner(self, seed: int) -> Any:
        return _FaultyLearner(self.task.learner(seed), self) if seed == self.seed else self.task.learner(seed)

    def meet(self) -> str:
        """Leaves a mark and does what the fault does; the fault's name, empty where it has happened often enough."""
        marks = Path(self.marks)
        if len(list(marks.glob("[0-9]*"))) >= self.times:
            return ""
        write_atomic(marks / f"{time.monotonic_ns()}", str(os.getpid()).encode())
        match self.fault:
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hangs":
                time.sleep(3600)
            case "stops":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "fills memory":
                hoard = [bytearray(2**24) for _ in range(1000)]
                raise AssertionError(f"{len(hoard)} times 16 MiB were not too much")
            case "raises":
                raise KeyError("injected")
        return self.fault


class _FaultyLearner:
    def __init__(self, learner: Any, task: FaultyTask) -> None:
        self._learner, self._task, self._fault = learner, task, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def train_stage(self, directive: Directive) -> StageReport:
        if self._learner.stage == self._task.stage:
            self._fault = self._task.meet()
        report: StageReport = self._learner.train_stage(directive)
        return report

    def evaluate(self, split: Any) -> dict[str, float]:
        metrics: dict[str, float] = self._learner.evaluate(split)
        return {name: float("nan") for name in metrics} if self._fault == "not finite" else metrics


def marks(folder: Path) -> list[int]:
    """The processes that met the fault, in order."""
    return [int(path.read_text()) for path in sorted(folder.glob("[0-9]*"))]
