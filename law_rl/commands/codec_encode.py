"""Pictures into .edic files, and back."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from law_rl.commands.codec_arguments import CodecDecodeCommand, CodecEncodeCommand
from law_rl.commands.codec_batch import run_batch
from law_rl.commands.codec_files import EDIC, Existing, Job, jobs
from law_rl.commands.codec_models import chosen_codec, decoding_codec
from law_rl.compression.codec import read_metadata
from law_rl.compression.pictures import (
    ENDINGS,
    lossless_format,
    read_picture,
    read_picture_metadata,
    write_picture,
)
from law_rl.files import write_atomic


def encode(command: CodecEncodeCommand) -> None:
    """Writes a file for each picture, and says how large they are."""
    found = jobs(
        command.pictures,
        reads=ENDINGS,
        writes=EDIC,
        targets={EDIC},
        out=command.out,
        existing=_existing(command),
    )
    if not found:
        return _say_nothing_is_left()
    codec = chosen_codec(command.quality, command.model, command.device)
    console, begun = Console(), time.monotonic()

    def work(job: Job) -> tuple[Path, int, int]:
        pixels = read_picture(job.source)
        content = codec.encode(pixels, metadata=read_picture_metadata(job.source) if command.keep_metadata else None)
        write_atomic(job.target, content)
        return job.target, len(content), pixels.shape[0] * pixels.shape[1]

    batch = run_batch(found, work, workers=command.workers, name="encode", console=console)
    targets, sizes, pixels = zip(*batch.results, strict=True)
    cost = f"{sum(sizes):,} bytes, {8 * sum(sizes) / sum(pixels):.3f} bits per pixel"
    _say(console, targets, cost, f"{time.monotonic() - begun:.1f} s")
    batch.end()


def decode(command: CodecDecodeCommand) -> None:
    """Writes a picture for each file that is whole."""
    found = jobs(
        command.files,
        reads={EDIC},
        writes=".png",
        targets=ENDINGS,
        out=command.out,
        existing=_existing(command),
    )
    if not found:
        return _say_nothing_is_left()
    for job in found:
        lossless_format(job.target)
    codec_of = decoding_codec(command.model, command.device, command.max_pixels)
    console, begun = Console(), time.monotonic()

    def work(job: Job) -> Path:
        content = job.source.read_bytes()
        try:
            pixels = codec_of(content).decode(content, max_pixels=command.max_pixels)
            metadata = read_metadata(content, max_pixels=command.max_pixels)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"{job.source}: {error}") from error
        write_picture(job.target, pixels, metadata)
        return job.target

    batch = run_batch(found, work, workers=command.workers, name="decode", console=console)
    _say(console, batch.results, f"{time.monotonic() - begun:.1f} s")
    batch.end()


def _existing(command: CodecEncodeCommand | CodecDecodeCommand) -> Existing:
    if command.overwrite and command.skip_existing:
        raise ValueError("--overwrite writes over files that exist and --skip-existing leaves them: give one of them")
    return "overwrite" if command.overwrite else "skip" if command.skip_existing else "refuse"


def _say_nothing_is_left() -> None:
    Console().print("nothing to do: all files exist already")


def _say(console: Console, targets: Sequence[Path], *details: str) -> None:
    where = str(targets[0]) if len(targets) == 1 else f"{len(targets)} files, the first {targets[0]}"
    console.print(f"{where}: {', '.join(details)}", highlight=False, markup=False, soft_wrap=True)
