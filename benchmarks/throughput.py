"""Episodes a second of the quickstart's search: in this process, with one Ray worker, with two, or on shares of a GPU.

Timed is the exploring phase, from handing out its first episode to having learned from its last. Workers have started
before and have run a short search on the same seeds; the twins are known. Every case runs the same episodes, which the
schedules' hashes confirm, and the cases take turns.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
import tyro

from benchmarks.running import bar, open_workers
from benchmarks.tables import RESULTS, markdown_table, write_results
from experiments.quickstart import experiment as quickstart
from law_rl.classification.task import ClassificationTask
from law_rl.experiment import Experiment
from law_rl.jobs import Workers
from law_rl.search import Search
from law_rl.twins import Curve


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is timed."""

    episodes: int = 60
    """Exploring episodes of a round."""
    rounds: int = 3
    workers: tuple[int, ...] = (0, 1, 2)
    """The cases, 0 for in this process; 1 must be among them."""
    device: str = "cpu"
    """With cuda the workers share the GPUs equally, and the result goes to throughput_gpu."""
    out: Path = RESULTS

    def __post_init__(self) -> None:
        if 1 not in self.workers:
            raise ValueError(f"workers is {self.workers}: name 1 too, the others are held against it")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Of one exploring phase: episodes a second, the CPU seconds of this process an episode, the schedule, and the GPU
    memory in use at its end (all processes, MiB; 0 without a GPU).
    """

    rate: float
    driver_cpu_s: float
    schedule: str
    gpu_mib: float = 0.0


def on_device(experiment: Experiment, device: str) -> Experiment:
    """The experiment trained on a device, with repeatable kernels."""
    assert isinstance(experiment.task, ClassificationTask)
    training = replace(experiment.task.training, device=device, deterministic=True)
    return replace(experiment, task=replace(experiment.task, training=training))


def gpu_memory_in_use(device: str) -> float:
    """MiB that all processes together hold of the GPU."""
    if device == "cpu":
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    return (total - free) / 2**20


def exploring(experiment: Experiment, episodes: int) -> Experiment:
    """The experiment with so many exploring episodes."""
    confirming = experiment.search.candidates * experiment.env.pool
    return replace(experiment, search=replace(experiment.search, episodes=episodes + confirming))


def paced(experiment: Experiment, workers: Workers, curves: dict[int, Curve]) -> Pace:
    """One search; `curves` are twins' curves known before, and hold those of all after."""
    explored = experiment.search.episodes - experiment.search.candidates * experiment.env.pool
    ended: list[tuple[float, float]] = []

    def observe(search: Search) -> None:
        if len(search.state.episodes) == explored and not ended:
            ended.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as directory:
        search = Search(experiment, workers, Path(directory), observer=observe)
        search.state.curves.update(curves)
        begun = time.perf_counter(), time.process_time()
        schedule = search.run()
    curves.update(search.state.curves)
    wall, cpu = (end - begin for begin, end in zip(begun, ended[0], strict=True))
    memory = gpu_memory_in_use(experiment.task.device)
    return Pace(rate=explored / wall, driver_cpu_s=cpu / explored, schedule=schedule.hash, gpu_mib=memory)


def measure(experiment: Experiment, count: int, episodes: int) -> Pace:
    """The pace with so many workers, warmed up by a search that shows each of them every seed."""
    curves: dict[int, Curve] = {}
    with open_workers(experiment.setting, count) as workers:
        paced(exploring(experiment, 2 * experiment.env.pool), workers, curves)
        return paced(exploring(experiment, episodes), workers, curves)


def table(paces: dict[int, list[Pace]]) -> str:
    one = max(pace.rate for pace in paces[1])
    rows = []
    for count, rounds in paces.items():
        best = max(pace.rate for pace in rounds)
        mean, cpu = fmean(pace.rate for pace in rounds), fmean(pace.driver_cpu_s for pace in rounds)
        name, memory = str(count) if count else "in process", max(pace.gpu_mib for pace in rounds)
        row = (name, f"{best:.3f}", f"{mean:.3f}", f"{best / one:.2f}", f"{cpu:.4f}")
        rows.append((*row, f"{memory:.0f}") if memory else row)
    header = ["Ray workers", "episodes/s, best", "episodes/s, mean", "best over one worker's", "driver's CPU s/episode"]
    return markdown_table([*header, "GPU memory, MiB"] if len(rows[0]) > len(header) else header, rows)


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    experiment = quickstart if options.device == "cpu" else on_device(quickstart, options.device)
    paces: dict[int, list[Pace]] = {count: [] for count in options.workers}
    with bar("searches", options.rounds * len(paces)) as line:
        for _ in range(options.rounds):
            for count in paces:
                paces[count].append(measure(experiment, count, options.episodes))
                line.show(sum(len(rounds) for rounds in paces.values()))
    schedules = {pace.schedule for rounds in paces.values() for pace in rounds}
    if len(schedules) > 1:
        raise RuntimeError(f"the searches ended with {len(schedules)} schedules: they cannot be compared")
    text = table(paces)
    values = {str(count): [vars(pace) for pace in rounds] for count, rounds in paces.items()}
    name = "throughput" if options.device == "cpu" else "throughput_gpu"
    command = "throughput --device cuda --workers 1 2 4" if name == "throughput_gpu" else ""
    write_results(options.out, name, {"episodes": options.episodes, "rounds": values}, text, command=command)
    print(text)


if __name__ == "__main__":
    main()
