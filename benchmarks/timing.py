"""Timings that other work on the machine disturbs little: rounds that take turns, the least of each kept."""

import time
from collections.abc import Callable, Mapping

from benchmarks.running import bar

ROUNDS = 7


def seconds(work: Callable[[], object]) -> float:
    """The wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def least(cases: Mapping[str, Callable[[], float]], text: str, rounds: int = ROUNDS) -> dict[str, float]:
    """For each case, which prepares itself and returns the seconds of its measured part, the least over the rounds."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    with bar(text, rounds * len(cases)) as line:
        for done in range(rounds):
            for place, (name, case) in enumerate(cases.items()):
                times[name].append(case())
                line.show(done * len(cases) + place + 1)
    return {name: min(values) for name, values in times.items()}
