"""Many files, side by side: progress, and what went wrong with which."""

import sys
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


@dataclass(frozen=True, kw_only=True)
class Batch(Generic[Result]):
    """What came of the items that did not fail, in their order, one at least."""

    results: list[Result]
    failed: int

    def end(self) -> None:
        """ValueError where items failed, for after the others' results are shown."""
        if self.failed:
            count = self.failed + len(self.results)
            raise ValueError(f"{self.failed} of {count} files failed, see above; the others are done")


def run_batch(
    items: Sequence[Item], work: Callable[[Item], Result], *, workers: int, name: str, console: Console
) -> Batch[Result]:
    """The results of the items, worked on by threads, which share the models and the cores.

    Items that raise ValueError or OSError are reported on standard error one by one while the others go on. ValueError
    where all fail; a single item raises what is wrong itself.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}: give the number of files that are worked on side by side, 1 or more")
    workers = min(workers, len(items))
    with Progress(console) as progress, _shared_cores(workers), _pool(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        for done, future in enumerate(as_completed(futures), 1):
            error = _failure(future)
            if len(items) > 1:
                if error is not None:
                    print(f"law-rl: {error}", file=sys.stderr, flush=True)
                progress.files(name, done, len(items))
    failures = [error for future in futures if (error := _failure(future)) is not None]
    if len(items) == len(failures) == 1:
        raise failures[0]
    if len(items) == len(failures):
        raise ValueError(f"all {len(items)} files failed, see above")
    return Batch(results=[future.result() for future in futures if future.exception() is None], failed=len(failures))


def _failure(future: "Future[Result]") -> Exception | None:
    """What is wrong with the item; other errors than those of a bad file are raised."""
    error = future.exception()
    if error is None or isinstance(error, ValueError | OSError):
        return error
    raise error


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads; where the caller is stopped, work that has not begun is dropped."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _shared_cores(workers: int) -> Iterator[None]:
    """Torch computes with a share of the cores for each worker."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)
