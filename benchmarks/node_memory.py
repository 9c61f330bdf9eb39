"""What a node's processes pay for the same data: memory and seconds, each with its own copy or with the node's.

Each process builds a learner on all 60,000 images of CIFAR-10 and reads them once. Counted is what this adds to the
proportional set size, in which a page that k processes share counts 1/k in each, after a first learner on digits.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import tyro

from benchmarks.running import Bar, bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from envs.cifar import cifar_task
from envs.digits import digits_task
from law_rl.classification.task import ClassificationTask
from law_rl.data.dataset import Dataset
from law_rl.data.places import NODE_CACHE
from law_rl.data.sources import load_dataset

MEBIBYTE = 2**20
CASES = ("own", "shared", "there")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is measured."""

    processes: tuple[int, ...] = (1, 2, 4)
    out: Path = RESULTS


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of all processes together: MiB that the data add to their memory, seconds until the last has its learner."""

    mebibytes: float
    seconds: float


def full_cifar() -> ClassificationTask:
    """The task of `experiments/law_cifar10_small.py` on all images that validation leaves."""
    task = cifar_task()
    return replace(task, data=replace(task.data, train=0, validation=0))


def process(pipe: Connection, folder: str) -> None:
    """Builds a learner when told to, then reads every image; says when it is at each of these points."""
    torch.set_num_threads(1)
    os.environ[NODE_CACHE] = folder
    digits_task().learner(0)
    pipe.send("waiting")
    pipe.recv()
    dataset = full_cifar().learner(0).dataset
    assert isinstance(dataset, Dataset)
    pipe.send("built")
    for split in (dataset.train, dataset.validation, dataset.test):
        split.images.max()
    pipe.send("read")
    pipe.recv()


def proportional_bytes(pids: Sequence[int]) -> int:
    """The proportional set size of processes, summed."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def measure(count: int, folder: str) -> Cost:
    """`count` processes that load at the same time; an empty `folder`: each for itself."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(count):
        pipe, other_end = context.Pipe()
        processes.append(context.Process(target=process, args=(other_end, folder), daemon=True))
        processes[-1].start()
        other_end.close()
        pipes.append(pipe)
    pids = [child.pid for child in processes if child.pid is not None]

    def all_say(word: str) -> None:
        if [pipe.recv() for pipe in pipes] != [word] * count:
            raise RuntimeError(f"not all processes were {word}: they are out of step")

    def tell_all() -> None:
        for pipe in pipes:
            pipe.send("go on")

    all_say("waiting")
    before, start = proportional_bytes(pids), time.perf_counter()
    tell_all()
    all_say("built")
    seconds = time.perf_counter() - start
    all_say("read")
    added = proportional_bytes(pids) - before
    tell_all()
    for child in processes:
        child.join()
    return Cost(mebibytes=added / MEBIBYTE, seconds=seconds)


def measure_cases(count: int, line: Bar, done: int) -> dict[str, Cost]:
    """Each for itself; with a node's folder that is empty; with one in which the file is there."""
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            costs[case] = measure(count, "" if case == "own" else folder)
            line.show(done + len(costs))
    return costs


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        dataset = load_dataset(full_cifar().data, 0)
    except FileNotFoundError as error:
        print(f"Nothing was measured: {error}")
        return
    images = sum(split.images.nbytes for split in (dataset.train, dataset.validation, dataset.test)) / MEBIBYTE
    with bar("node memory", len(CASES) * len(options.processes)) as line:
        costs = {count: measure_cases(count, line, len(CASES) * place) for place, count in enumerate(options.processes)}
    columns = ("own copies", "shared", "shared, decoded before")
    table = markdown_table(
        ("processes", *(f"{column}, MiB" for column in columns), *(f"{column}, s" for column in columns)),
        [
            (count, *(f"{cost[c].mebibytes:.0f}" for c in CASES), *(f"{cost[c].seconds:.1f}" for c in CASES))
            for count, cost in costs.items()
        ],
    )
    results = [
        {"processes": count, **{f"{case}_{name}": value for case in CASES for name, value in vars(cost[case]).items()}}
        for count, cost in costs.items()
    ]
    note = f"The images take {images:.0f} MiB once."
    write_results(options.out, "node_memory", {"images_mebibytes": images, "results": results}, f"{table}\n\n{note}")
    print(table, note, sep="\n\n")


if __name__ == "__main__":
    main()
