"""Progress on the terminal: a bar with the current gain and the time left, or plain lines where there is no
terminal.
"""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from law_rl.search import Search
from law_rl.statistics import in_points, mean_interval
from law_rl.trials import Trial, is_eligible, ranked

SECONDS_BETWEEN_LINES = 10.0
RECENT = 10


class Progress:
    """Shows a search's, an evaluation's or a tuning's progress on a console; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Bar(
            *columns, TextColumn("left"), TimeRemainingColumn(), console=console, disable=not console.is_terminal
        )
        self._tasks: dict[str, TaskID] = {}
        self._first = 0.0
        self._begun = self._printed = time.monotonic()

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def search(self, search: Search, name: str = "search") -> None:
        recent = [episode.advantage for episode in search.state.episodes[-RECENT:]]
        gain = f"gain {in_points(mean_interval(recent).mean, sign=True)} points" if recent else "twins first"
        self._show(name, f"{name}, {gain}", search.trainings_done, search.trainings_total)

    def evaluation(self, done: int, total: int) -> None:
        self._show("evaluation", "evaluation on unseen seeds", done, total)

    def table(self, done: int, total: int) -> None:
        self._show("table", "table on unseen seeds", done, total)

    def preparation(self, name: str, done: int, total: int) -> None:
        """Shows what a task makes once for all of its trainings, such as a teacher; `name` says for what."""
        self._show(f"preparation {name}", f"teacher of {name}", done, total, unit="stages")

    def student(self, done: int, total: int) -> None:
        self._show("student", "student", done, total, unit="stages")

    def network(self, done: int, total: int) -> None:
        self._show("network", "network", done, total, unit="stages")

    def embeddings(self, name: str, done: int, total: int) -> None:
        self._show(f"embeddings {name}", f"embeddings of {name}", done, total, unit="images")

    def gallery(self, done: int, total: int) -> None:
        self._show("gallery", "gallery", done, total, unit="rows")

    def batch(self, name: str, done: float, total: int, unit: str) -> None:
        """Shows how many of a batch are done, parts counted; `name` says what is done to them."""
        self._show(f"batch {name}", name, done, total, unit=unit)

    def frames(self, name: str, done: int, total: int | None) -> None:
        """Shows how many frames of a video are done, from 0 on, and how fast; `total` is None where it is unknown."""
        speed = f", {self._speed(done):.2f} frames per second" if done else ""
        self._show(f"frames {name}", f"{name}{speed}", done, total, unit="frames")

    def codec(self, text: str, progress: float) -> None:
        """Shows how a codec's training stands; `progress` goes from 0 to 1."""
        self._show("codec", f"codec, {text}", round(100 * progress), 100, unit="%")

    def students(self, done: int, total: int) -> None:
        self._show("students", "students of every anchor", done, total, unit="stages")

    def tuning(self, trials: Sequence[Trial], total: int, episodes: int) -> None:
        """Shows how far `total` trials of so many episodes are; `trials` are those begun."""
        ended = [trial for trial in trials if trial.status != "running"]
        gains = [trial.gain for trial in ranked(ended) if is_eligible(trial) and trial.gain is not None]
        gain = f"best gain {in_points(gains[0], sign=True)} points" if gains else "no gain yet"
        done = sum(episodes if trial in ended else min(trial.episodes, episodes) for trial in trials)
        self._show("tuning", f"{len(ended)} of {total} trials, {gain}", done, total * episodes)

    def _show(self, key: str, text: str, done: float, total: int | None, *, unit: str = "trainings") -> None:
        if key not in self._tasks:
            self._tasks[key] = self._bar.add_task(text, total=total, completed=int(done))
            self._begun = self._printed = time.monotonic()
            self._first = done
        self._bar.update(self._tasks[key], description=text, completed=done)
        now = time.monotonic()
        if not self._console.is_terminal and (now - self._printed > SECONDS_BETWEEN_LINES or done == total):
            self._printed = now
            count = f"{done:.2f}" if done % 1 else f"{done:.0f}"
            share = f"{count} {unit}" if total is None else f"{count}/{total} {unit}, {self._left(done, total)}"
            self._console.print(f"{text}: {share}", highlight=False)

    def _left(self, done: float, total: int) -> str:
        passed, here = time.monotonic() - self._begun, done - self._first
        return f"about {passed / (here or 1) * (total - done):.0f} s left"

    def _speed(self, done: int) -> float:
        return (done - self._first) / max(time.monotonic() - self._begun, 1e-9)
