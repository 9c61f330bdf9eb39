"""What mining the hardest identities costs: seconds, and memory beyond the prototypes, in a process of its own.

A sample of identities is checked against brute force in float64: every index must be equal.
"""

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import tyro
from torch import Tensor

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.mining import hardest_identities

MOST_SECONDS, AIM_SECONDS, MOST_MEBIBYTES = 240, 90, 2048
MEBIBYTE = 2**20
CLUSTER, PIECE = 100, 2**14


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is mined."""

    identities: int = 100_000
    width: int = 512
    count: int = 100
    """How many others are found for each identity."""
    checked: int = 200
    """How many identities are compared with brute force."""
    threads: int = 2
    rounds: int = 3
    out: Path = RESULTS


def clustered(rows: int, width: int, purpose: str) -> Tensor:
    """Unit vectors float32 [rows, width] around one centre for each 100 of them, cosine about 0.3 to one another."""
    centres = torch.randn(max(1, rows // CLUSTER), width, generator=torch_generator(0, purpose, 0))
    vectors = torch.empty(rows, width)
    for number, piece in enumerate(torch.split(vectors, PIECE)):
        generator = torch_generator(0, purpose, 1, number)
        near = torch.randint(len(centres), (len(piece),), generator=generator)
        piece.copy_(unit(centres[near] + 1.5 * torch.randn(piece.shape, generator=generator)))
    return vectors


def own_memory(entry: str) -> int:
    """Bytes of this process, as /proc/self/status has them: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(entry))


def process(pipe: Connection, options: Options) -> None:
    """Mines `rounds` times; sends the seconds of each, then the bytes beyond the prototypes and how many are wrong."""
    torch.set_num_threads(options.threads)
    prototypes = clustered(options.identities, options.width, "face mining")
    before = own_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    for _ in range(options.rounds):
        start = time.perf_counter()
        found = hardest_identities(prototypes, options.count)
        pipe.send(time.perf_counter() - start)
    pipe.send(own_memory("VmHWM") - before)
    pipe.send(wrong_rows(prototypes, found, options.checked))


def wrong_rows(prototypes: Tensor, found: Tensor, count: int) -> int:
    """Of `count` identities those whose row of `found` [C, K] is not what float64 cosines, rounded to float32, give."""
    rows = torch.randperm(len(found), generator=torch_generator(0, "face mining check"))[:count]
    directions = unit(prototypes).double()
    cosines = (directions[rows] @ directions.T).float()
    cosines[torch.arange(len(rows)), rows] = -2.0
    expected = cosines.sort(dim=1, descending=True, stable=True).indices[:, : found.shape[1]]
    return int((expected != found[rows]).any(1).sum())


def measured(options: Options) -> tuple[float, int, int]:
    """The least seconds, the bytes beyond the prototypes and how many of the checked rows are wrong."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=process, args=(theirs, options))
    child.start()
    theirs.close()
    times = []
    with bar("mining", options.rounds) as line:
        for done in range(options.rounds):
            times.append(ours.recv())
            line.show(done + 1)
    memory, wrong = ours.recv(), ours.recv()
    child.join()
    return min(times), memory, wrong


def verdict(seconds: float, mebibytes: float) -> str:
    """How the numbers of the full size stand to what was asked."""
    time_words = "within the aim" if seconds <= AIM_SECONDS else "above the aim"
    limit = "within" if seconds <= MOST_SECONDS and mebibytes <= MOST_MEBIBYTES else "NOT within"
    return (
        f"That is {limit} the limits of {MOST_SECONDS} s and {MOST_MEBIBYTES} MiB, and {time_words} of {AIM_SECONDS} s."
    )


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    seconds, memory, wrong = measured(options)
    mebibytes = memory / MEBIBYTE
    table = markdown_table(
        ("prototypes", "others of each", "threads", "seconds", "MiB beyond them", "wrong rows of those checked"),
        [
            (
                f"{options.identities:,} x {options.width}",
                options.count,
                options.threads,
                f"{seconds:.1f}",
                f"{mebibytes:.0f}",
                f"{wrong} of {min(options.checked, options.identities):,}",
            )
        ],
    )
    text = f"Seconds are the least of {options.rounds} rounds."
    if options.identities == Options.identities and options.width == Options.width and options.count == Options.count:
        text = f"{text} {verdict(seconds, mebibytes)}"
    result = {"identities": options.identities, "width": options.width, "count": options.count}
    result |= {"threads": options.threads, "rounds": options.rounds, "checked": options.checked}
    measurements = {"seconds": seconds, "mebibytes": mebibytes, "wrong": wrong}
    write_results(options.out, "face_mining", result | measurements, f"{table}\n\n{text}")
    print(f"{table}\n\n{text}")


if __name__ == "__main__":
    main()
