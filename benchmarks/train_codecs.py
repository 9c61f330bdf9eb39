"""Trains the codecs that ship, or with --ablation those that show what each module is worth.

Each process gives all of its trainings the same number of steps. What is finished is kept, and a stopped training goes
on. Writes models with their cards, and results.json and results.md on what each training reached.
"""

import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import tyro

from benchmarks.codec_jobs import Job, Options, groups
from benchmarks.tables import markdown_table
from law_rl.compression.card import write_set_card
from law_rl.compression.codec_training import codec_training
from law_rl.compression.model_card import CodecCard
from law_rl.compression.photograph_files import bsds_folder, read_photographs
from law_rl.compression.photographs import Photographs
from law_rl.compression.pictures import ENDINGS, Pixels, read_picture
from law_rl.compression.training import Moment, train_together
from law_rl.compression.training_output import put_out
from law_rl.compression.validation import validate
from law_rl.files import write_atomic, write_json

SECONDS_BETWEEN_READINGS = 2.0
SECONDS_BETWEEN_LINES = 10.0
HEADER = ("training", "lambda", "steps", "steps a second", "bits per pixel", "PSNR, dB", "cost")


def train_process(options: Options, name: str, jobs: Sequence[Job]) -> None:
    """`train_group` in a process of its own."""
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # of no use on a GPU; a sixth of a step on a CPU
    train_group(options, name, jobs)


def train_group(options: Options, name: str, jobs: Sequence[Job]) -> None:
    """Trains those of the jobs that have no row yet, and writes the model and the row of each."""
    jobs = [job for job in jobs if not row_file(options, job).exists()]
    files = read_photographs(options.folders or [bsds_folder()])
    pictures = read_pictures(options.pictures) if options.pictures else files.validation
    photographs = Photographs(files.train, options.crop, options.device)
    trainings = [codec_training(job.codec, job.config, photographs, checkpoint(options, job)) for job in jobs]
    train_together(trainings, Lines(name, len(jobs)).show, SECONDS_BETWEEN_READINGS)
    for job, training in zip(jobs, trainings, strict=True):
        found = validate(training.network().to(training.device), pictures, training.device)
        row: dict[str, Any] = {"name": job.name, "variant": job.variant, "codec": asdict(job.codec)}
        row |= {"training": asdict(job.config), "device": training.device_name, "bpp": found.bpp, "psnr": found.psnr}
        row |= {"steps": training.step, "seconds": training.seconds}
        if not options.ablation:
            put_out(training, files, options.out / f"{job.name}.safetensors", quality=job.quality)
        write_json(row_file(options, job), row)


def row_file(options: Options, job: Job) -> Path:
    return options.out / "rows" / f"{job.name}.json"


def checkpoint(options: Options, job: Job) -> Path | None:
    return options.out / "checkpoints" / f"{job.name}.safetensors" if options.checkpoints else None


def read_pictures(folder: Path) -> tuple[Pixels, ...]:
    """The colour pictures of a folder, in the order of their names."""
    return tuple(read_picture(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS)


class Lines:
    """What a process prints while it trains: a line every ten seconds, with the mean cost of its trainings."""

    def __init__(self, name: str, count: int) -> None:
        self._name, self._costs, self._printed = name, [0.0] * count, time.monotonic()

    def show(self, number: int, moment: Moment) -> None:
        self._costs[number] = moment.cost
        now = time.monotonic()
        if number < len(self._costs) - 1 or (now - self._printed < SECONDS_BETWEEN_LINES and moment.progress < 1):
            return
        self._printed = now
        left = moment.seconds * (1 / max(moment.progress, 1e-6) - 1)
        cost = sum(self._costs) / len(self._costs)
        text = (
            f"{self._name}: {100 * moment.progress:.0f} %, step {moment.step:,}, {moment.step / moment.seconds:.1f} a"
        )
        print(f"{text} second, mean cost {cost:.3f}, about {left:.0f} s left", flush=True)


def run_groups(options: Options) -> list[str]:
    """Runs the process of each group; the names of those that broke twice.

    A group on a GPU that breaks is tried once more without CUDA graphs, in the minutes that are left.
    """
    begun, waiting = time.monotonic(), list(groups(options))
    broken = _run(options, waiting)
    minutes = None if options.minutes is None else options.minutes - (time.monotonic() - begun) / 60
    if not broken or options.device == "cpu" or not options.cuda_graph or (minutes is not None and minutes < 0.2):
        return broken
    print(f"{', '.join(broken)} broke: once more without CUDA graphs", flush=True)
    return _run(replace(options, cuda_graph=False, minutes=minutes, checkpoints=False), broken)


def _run(options: Options, names: Sequence[str]) -> list[str]:
    context, jobs = multiprocessing.get_context("spawn"), groups(options)
    processes = [context.Process(target=train_process, args=(options, name, jobs[name])) for name in names]
    for process in processes:
        process.start()
        if not options.side_by_side:
            process.join()
    for process in processes:
        process.join()
    return [name for name, process in zip(names, processes, strict=True) if process.exitcode]


def write_table(options: Options) -> str:
    """results.json and results.md from the rows of all jobs that are finished; the latter's text."""
    files = [row_file(options, job) for jobs in groups(options).values() for job in jobs]
    rows = [json.loads(file.read_text()) for file in files if file.exists()]
    lines = []
    for row in rows:
        lambda_ = row["training"]["lambda_"]
        cost = row["bpp"] + lambda_ * 10 ** (-row["psnr"] / 10)
        speed = row["steps"] / max(row["seconds"], 1e-9)
        lines.append((row["name"], f"{lambda_:g}", f"{row['steps']:,}", f"{speed:.1f}"))
        lines[-1] += (f"{row['bpp']:.4f}", f"{row['psnr']:.2f}", f"{cost:.4f}")
    measured = f"the pictures of {options.pictures.name}" if options.pictures else "photographs held out"
    text = f"{markdown_table(HEADER, lines)}\n\nMeasured on {measured}, by estimated bits.\n"
    write_json(options.out / "results.json", {"rows": rows})
    write_atomic(options.out / "results.md", text.encode())
    return text


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    broken = run_groups(options)
    print(write_table(options))
    if not options.ablation:
        write_set_card(options.out, CodecCard)
    if broken:
        raise SystemExit(f"These groups broke, see above: {', '.join(broken)}")


if __name__ == "__main__":
    main()
