"""Workers that only exist in virtual time: what a search's driver and its order cost when hundreds run side by side.

The driver is real. While it works, the virtual clock runs with the real one; while it waits, the clock jumps to the
next thing that happens on a worker.
"""

import heapq
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from law_rl.counters import numpy_generator
from law_rl.jobs import EpisodeJob, Job

Duplicates = Literal["never", "blocking", "reruns"]
Happening = Literal["ended", "died", "started"]


@dataclass(frozen=True, kw_only=True)
class FleetConfig:
    """Workers, and how their episodes go; times in seconds.

    An episode is `stages` stages of normal length, `stage_s` with a spread of the share `spread`. With probability
    `death` its worker dies at a uniform point of it, and starts anew within `restart_s`; the episode goes to the front
    of the queue. `duplicates`: "blocking" gives an idle worker a second copy of the episode that the order waits for,
    "reruns" begins two copies of an episode that lost its worker; the first copy to end counts, and the other's worker
    starts anew.
    """

    workers: int
    stages: int
    stage_s: float = 30.0
    spread: float = 0.2
    death: float = 0.02
    restart_s: float = 10.0
    duplicates: Duplicates = "never"
    seed: int = 0


class Clock:
    """Virtual seconds. It runs with the real time while the driver works, and stands still inside `aside`."""

    def __init__(self) -> None:
        self._stood, self._since = 0.0, time.perf_counter()
        self._standing = 0
        self.driver_s = 0.0

    def now(self) -> float:
        return self._stood + (0.0 if self._standing else time.perf_counter() - self._since)

    def stand(self) -> None:
        if not self._standing:
            now = self.now()
            self.driver_s += now - self._stood
            self._stood = now
        self._standing += 1

    def go_on(self) -> None:
        self._standing -= 1
        self._since = time.perf_counter()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Inside, real time does not count."""
        self.stand()
        try:
            yield
        finally:
            self.go_on()

    def jump_to(self, moment: float) -> None:
        """Waits, without work, for a moment that has not passed."""
        self._stood = max(self._stood, moment)

    def work(self, seconds: float) -> None:
        """Lets the driver have worked for so long."""
        with self.aside():
            self._stood += seconds
            self.driver_s += seconds


class Change(NamedTuple):
    """At a time: workers that begin (+1) or cease (-1) to wait, copies of an episode that begin or end."""

    time: float
    waiting: int
    episode: int = -1
    copies: int = 0
    finished: bool = False


class _Copy(NamedTuple):
    """One run of an episode on a worker, which ends (or dies) at `end`."""

    end: float
    number: int
    happening: Happening
    episode: int
    begun: float


class SimulatedWorkers:
    """Workers of a search in virtual time; `result` makes an episode up. Handles what happens as RayWorkers does."""

    def __init__(self, config: FleetConfig, clock: Clock, result: Callable[[int, EpisodeJob], Any]) -> None:
        self._config, self._clock, self._result = config, clock, result
        self._idle = config.workers
        self._queue: deque[int] = deque()
        self._jobs: dict[int, EpisodeJob] = {}
        self._running: dict[int, list[_Copy]] = {}
        self._events: list[_Copy] = []
        self._numbers = itertools.count()
        self._attempts: Counter[int] = Counter()
        self._cancelled: set[int] = set()
        self._done: set[int] = set()
        self._oldest = 0
        self.changes: list[Change] = []
        self.submitted: list[float] = []
        self.lost_s = 0.0
        self.deaths = 0

    def submit(self, key: str, job: Job) -> None:
        assert isinstance(job, EpisodeJob)
        with self._clock.aside():
            episode = int(key.split()[1])
            self._jobs[episode] = job
            self._queue.append(episode)
            self.submitted.append(self._clock.now())
            self._dispatch()

    def results(self) -> Iterator[tuple[str, Any]]:
        self._clock.stand()
        while self._running or self._queue:
            event = heapq.heappop(self._events)
            if event.number in self._cancelled:
                continue
            self._clock.jump_to(event.end)
            if event.happening == "ended":
                self._ended(event)
                result = self._result(event.episode, self._jobs.pop(event.episode))
                self._clock.go_on()
                yield f"episode {event.episode}", result
                self._clock.stand()
            elif event.happening == "died":
                self._died(event)
            else:
                self._idle += 1
                self.changes.append(Change(event.end, waiting=1))
                self._dispatch()
        self._clock.go_on()

    def _dispatch(self) -> None:
        while self._idle and (episode := self._next()) is not None:
            self._begin(episode)

    def _next(self) -> int | None:
        while self._queue:
            episode = self._queue.popleft()
            if episode not in self._done:
                return episode
        while self._oldest in self._done:
            self._oldest += 1
        if self._config.duplicates == "blocking" and len(self._running.get(self._oldest, ())) == 1:
            return self._oldest
        return None

    def _begin(self, episode: int) -> None:
        config, now = self._config, self._clock.now()
        generator = numpy_generator(config.seed, "simulated run", episode, self._attempts[episode])
        self._attempts[episode] += 1
        seconds = float(generator.normal(config.stage_s, config.spread * config.stage_s, config.stages).clip(0).sum())
        dies, share = generator.random(2)
        happening: Happening = "died" if dies < config.death else "ended"
        end = now + (seconds * share if happening == "died" else seconds)
        copy = _Copy(end=end, number=next(self._numbers), happening=happening, episode=episode, begun=now)
        heapq.heappush(self._events, copy)
        self._running.setdefault(episode, []).append(copy)
        self._idle -= 1
        self.changes.append(Change(now, waiting=-1, episode=episode, copies=1))

    def _ended(self, copy: _Copy) -> None:
        self._done.add(copy.episode)
        self._idle += 1
        self.changes.append(Change(copy.end, waiting=1, episode=copy.episode, copies=-1, finished=True))
        now = self._clock.now()
        for other in self._running.pop(copy.episode):
            if other is not copy:
                self._cancelled.add(other.number)
                self.changes.append(Change(now, waiting=0, episode=copy.episode, copies=-1))
                self._restart(now - other.begun)
        self._dispatch()

    def _died(self, copy: _Copy) -> None:
        self.deaths += 1
        self.changes.append(Change(copy.end, waiting=1, episode=copy.episode, copies=-1))
        self.changes.append(Change(self._clock.now(), waiting=-1))
        self._restart(copy.end - copy.begun)
        self._running[copy.episode].remove(copy)
        if not self._running[copy.episode]:
            del self._running[copy.episode]
            self._queue.extendleft([copy.episode] * (2 if self._config.duplicates == "reruns" else 1))
        self._dispatch()

    def _restart(self, wasted: float) -> None:
        self.lost_s += wasted + self._config.restart_s
        ready = self._clock.now() + self._config.restart_s
        number = next(self._numbers)
        heapq.heappush(self._events, _Copy(end=ready, number=number, happening="started", episode=-1, begun=ready))


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Shares of the workers' time."""

    driver: float
    order: float


def waiting(
    changes: list[Change], config: FleetConfig, *, lag: int, episodes: int, begin: float, end: float
) -> Waiting:
    """How much of the workers' time from `begin` to `end` they waited for the driver, and for the order.

    At any moment a driver that needs no time would have handed out the first `lag` episodes after the last one up to
    which all have ended. As many waiting workers as there are such episodes that nobody runs wait for the driver, the
    others for the order.
    """
    copies: Counter[int] = Counter()
    finished: set[int] = set()
    idle, begun, prefix, last = config.workers, 0, 0, 0.0
    driver = order = 0.0
    for change in sorted(changes, key=lambda change: change.time):
        span = max(0.0, min(change.time, end) - max(last, begin))
        due = max(0, min(prefix + lag, episodes) - begun)
        driver += span * min(idle, due)
        order += span * max(0, idle - due)
        last, idle = change.time, idle + change.waiting
        if change.episode < 0 or (change.episode in finished):
            continue
        before = copies[change.episode] > 0
        copies[change.episode] += change.copies
        if change.finished:
            finished.add(change.episode)
        begun += (copies[change.episode] > 0 or change.finished) - before
        while prefix in finished:
            prefix += 1
    total = config.workers * (end - begin)
    return Waiting(driver=driver / total, order=order / total)
