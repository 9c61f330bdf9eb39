"""Many files, side by side: progress, and what went wrong with which."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from rich.console import Console

from law_rl.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
Tell = Callable[[float], None]
"""Hears which share of an item is done, from 0 to 1."""


class _Stopped(Exception):
    """Nobody waits for the batch any more."""


@dataclass(frozen=True, kw_only=True)
class Batch(Generic[Result]):
    """What came of the items that did not fail, in their order, one at least."""

    results: list[Result]
    failed: int
    unit: str

    def end(self) -> None:
        """ValueError where items failed, for after the others' results are shown."""
        if self.failed:
            count = self.failed + len(self.results)
            raise ValueError(f"{self.failed} of {count} {self.unit} failed, see above; the others are done")


def run_batch(
    items: Sequence[Item], work: Callable[[Item], Result], *, workers: int, name: str, console: Console
) -> Batch[Result]:
    """The results of the items, files, worked on by threads, which share the models and the cores.

    Items that raise ValueError or OSError are reported on standard error one by one while the others go on. ValueError
    where all fail; a single item raises what is wrong itself.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}: give the number of files that are worked on side by side, 1 or more")
    return _run(items, lambda item, tell: work(item), min(workers, len(items)), name, "files", console)


def run_clips(
    items: Sequence[Item], work: Callable[[Item, Tell], Result], *, name: str, console: Console
) -> Batch[Result]:
    """As `run_batch`, for clips, which take long, one after the other: `work` also tells how far it is with its clip,
    and where it does so it ends once the caller is stopped.
    """
    return _run(items, work, 1, name, "clips", console)


def _run(
    items: Sequence[Item], work: Callable[[Item, Tell], Result], workers: int, name: str, unit: str, console: Console
) -> Batch[Result]:
    with Progress(console) as progress, _shared_cores(workers), ThreadPoolExecutor(workers) as pool:
        watch = _Watch(len(items), lambda done: progress.batch(name, done, len(items), unit))
        with watch.stopping(pool):
            futures = [pool.submit(watch.work, work, item, place) for place, item in enumerate(items)]
            for future in as_completed(futures):
                if (error := _failure(future)) is not None and len(items) > 1:
                    print(f"law-rl: {error}", file=sys.stderr, flush=True)
    failures = [error for future in futures if (error := _failure(future)) is not None]
    if len(items) == len(failures) == 1:
        raise failures[0]
    if len(items) == len(failures):
        raise ValueError(f"all {len(items)} {unit} failed, see above")
    results = [future.result() for future in futures if future.exception() is None]
    return Batch(results=results, failed=len(failures), unit=unit)


def _failure(future: "Future[Result]") -> Exception | None:
    """What is wrong with the item; other errors than those of a bad file are raised."""
    error = future.exception()
    if error is None or isinstance(error, ValueError | OSError):
        return error
    raise error


class _Watch:
    """Adds up how far the items of a batch are, for `show`, and lets their work end early."""

    def __init__(self, count: int, show: Callable[[float], None]) -> None:
        self._shares, self._show = [0.0] * count, show
        self._stopped, self._lock = threading.Event(), threading.Lock()

    def work(self, work: Callable[[Item, Tell], Result], item: Item, place: int) -> Result:
        """The result of the item of that place; a single item says itself when it is done."""

        def tell(share: float) -> None:
            if self._stopped.is_set():
                raise _Stopped
            self._add(place, share)

        try:
            return work(item, tell)
        finally:
            if len(self._shares) > 1:
                self._add(place, 1.0)

    @contextmanager
    def stopping(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """Where the caller is stopped, work that has not begun is dropped, and other ends where it tells next."""
        try:
            yield
        finally:
            self._stopped.set()
            pool.shutdown(cancel_futures=True)

    def _add(self, place: int, share: float) -> None:
        with self._lock:
            if share != self._shares[place]:
                self._shares[place] = share
                self._show(sum(self._shares))


@contextmanager
def _shared_cores(workers: int) -> Iterator[None]:
    """Torch computes with a share of the cores for each worker."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)
