"""A long search on workers that keep dying: every episode done, the schedule of a calm search, memory that stays flat.

Two Ray workers run a thousand trainings of about a tenth of a second on digits. Once in every twenty results one of
the workers is killed without warning. The driver's resident memory is read after each result.
"""

import os
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
import tyro

from benchmarks.processes import actor_processes
from benchmarks.running import Bar, bar, learn, open_workers
from benchmarks.tables import RESULTS, markdown_table, write_results
from envs.digits import digits_task
from experiments.quickstart import experiment as quickstart
from law_rl.classification.networks import NetworkConfig
from law_rl.counters import numpy_generator
from law_rl.experiment import Experiment, SearchConfig
from law_rl.search import Search

MEBIBYTE = 2**20
WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long it lasts."""

    episodes: int = 1000
    every: int = 20
    """Results among which one worker is killed."""
    out: Path = RESULTS

    def __post_init__(self) -> None:
        if self.every < 2 or self.episodes < 2 * self.every:
            raise ValueError(
                f"every is {self.every} and episodes {self.episodes}: give at least 2 results a kill, and 2 kills"
            )


def short_search(options: Options) -> Experiment:
    """The quickstart with small trainings and as many episodes as asked for."""
    task = digits_task()
    training = replace(task.training, network=NetworkConfig(width=32), epochs=task.stages)
    task = replace(task, data=replace(task.data, train=300, validation=100), training=training)
    return replace(quickstart, name="soak", task=task, search=SearchConfig(episodes=options.episodes))


def resident_mib() -> float:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


class Killer:
    """An observer that kills a worker at one result, drawn beforehand, of each `every`, and notes the memory.

    Where no worker lives at that moment, it waits for the next result.
    """

    def __init__(self, every: int, line: Bar) -> None:
        self._every, self._line = every, line
        self.kills = 0
        self.memory: list[float] = []

    def __call__(self, search: Search) -> None:
        results = len(self.memory)
        self.memory.append(resident_mib())
        self._line.show(len(self.memory))
        due = self.kills * self._every + int(numpy_generator(0, "kill", self.kills).integers(self._every))
        if results < due:
            return
        processes = actor_processes("Worker")
        if processes:
            os.kill(processes[int(numpy_generator(0, "victim", self.kills).integers(len(processes)))], signal.SIGKILL)
            self.kills += 1


def soak(experiment: Experiment, every: int) -> tuple[Killer, int, str]:
    """The search under fire: its observer, the episodes done and the schedule's hash."""
    with tempfile.TemporaryDirectory() as directory, open_workers(experiment.setting, WORKERS) as workers:
        with bar("killed", experiment.search.episodes + experiment.env.pool) as line:
            killer = Killer(every, line)
            search = Search(experiment, workers, Path(directory), observer=killer)
            schedule = search.run()
        return killer, len(search.state.episodes), schedule.hash


def calm(experiment: Experiment) -> str:
    """The schedule's hash of the same search in this process."""
    with open_workers(experiment.setting, 0) as workers:
        return learn(experiment, workers, "calm").hash


def quarter(values: Sequence[float], number: int) -> float:
    """The mean of a quarter of the values, 0 to 3."""
    return fmean(values[number * len(values) // 4 : (number + 1) * len(values) // 4])


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    experiment = short_search(options)
    begun = time.perf_counter()
    killer, episodes, schedule = soak(experiment, options.every)
    seconds = time.perf_counter() - begun
    second, last = quarter(killer.memory, 1), quarter(killer.memory, 3)
    result = {
        "episodes": episodes,
        "kills": killer.kills,
        "seconds": seconds,
        "second_quarter_mib": second,
        "last_quarter_mib": last,
        "last_over_second": last / second,
        "same_schedule": schedule == calm(experiment),
    }
    header = ("episodes", "kills", "seconds", "RSS second quarter, MiB", "last quarter, MiB", "ratio", "same schedule")
    row = (episodes, killer.kills, f"{seconds:.0f}", f"{second:.1f}", f"{last:.1f}", f"{last / second:.3f}")
    text = markdown_table(header, [(*row, "yes" if result["same_schedule"] else "no")])
    write_results(options.out, "soak", result, text)
    print(text)


if __name__ == "__main__":
    main()
