"""Timings that other work on the machine disturbs little: rounds that take turns, the least or the median of each."""

import time
from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.running import bar

ROUNDS = 7

Cases = Mapping[str, Callable[[], float]]
"""What prepares itself and returns the seconds of its measured part, by name."""


def seconds(work: Callable[[], object]) -> float:
    """The wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def least(cases: Cases, text: str, rounds: int = ROUNDS) -> dict[str, float]:
    """For each case the least seconds over the rounds."""
    return {name: min(values) for name, values in _in_turns(cases, text, rounds).items()}


def medians(cases: Cases, text: str, rounds: int = ROUNDS) -> dict[str, float]:
    """For each case the median of the seconds over the rounds."""
    return {name: median(values) for name, values in _in_turns(cases, text, rounds).items()}


def _in_turns(cases: Cases, text: str, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in cases}
    with bar(text, rounds * len(cases)) as line:
        for done in range(rounds):
            for place, (name, case) in enumerate(cases.items()):
                times[name].append(case())
                line.show(done * len(cases) + place + 1)
    return times
