"""What the trainings of image and video codecs share on the command line: settings, progress, and what is told."""

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from law_rl.commands.codec_arguments import CodecTrainCommand
from law_rl.commands.codec_video_arguments import CodecTrainVideoCommand
from law_rl.compression.bitstream.network_file import check_quality
from law_rl.compression.card import BESIDE, Card
from law_rl.compression.photograph_files import PhotographFiles, read_photographs, sample_photographs
from law_rl.compression.training import Moment, Training, train_together
from law_rl.compression.training_config import TrainingConfig
from law_rl.progress import Progress

CHECKPOINT = ".checkpoint"

Command = CodecTrainCommand | CodecTrainVideoCommand
Config = TypeVar("Config", bound=TrainingConfig)


def checkpoint_of(command: Command) -> Path:
    """Where a training keeps its state; ValueError where its model cannot be written."""
    check_quality(command.quality)
    out = command.out
    if out.suffix in (*BESIDE, CHECKPOINT):
        raise ValueError(f"{out} is what is written beside a model: give a name that ends in .safetensors")
    if out.exists():
        raise ValueError(f"{out} exists: give another name, or delete it")
    return out.with_suffix(CHECKPOINT)


def photographs_of(command: Command) -> PhotographFiles:
    """Those of the folders, or scikit-learn's two."""
    return read_photographs(command.folders) if command.folders else sample_photographs()


def config_of(kind: type[Config], command: Command, **own: Any) -> Config:
    """The training that the flags describe, `own` what one kind has; with `minutes` alone it is not ended by steps."""
    steps = command.steps
    if steps is None and command.minutes is None:
        steps = kind.steps
    return kind(
        lambda_=command.lambda_,
        steps=steps,
        minutes=command.minutes,
        batch=command.batch,
        crop=command.crop,
        learning_rate=command.learning_rate,
        bfloat16=command.bfloat16,
        seed=command.seed,
        **own,
    )


def run(training: Training[Any], console: Console, checkpoint: Path, text: Callable[[Moment], str]) -> None:
    """Trains to the end, showing what `text` says of each moment."""
    gone_on = f"taken up at step {training.step:,}; " if training.step else ""
    say(console, f"{gone_on}stopped, the same command goes on from {checkpoint}")
    with Progress(console) as progress:
        train_together([training], lambda _, moment: progress.codec(text(moment), moment.progress))


def moment_text(moment: Moment, config: TrainingConfig) -> str:
    """How a training stands, in words."""
    if config.distortion == "mse":
        quality = f"{-10 * math.log10(max(moment.distortion, 1e-10)):.2f} dB"
    else:
        quality = f"MS-SSIM {1 - moment.distortion:.4f}"
    return f"step {moment.step:,}, cost {moment.cost:.3f}, {moment.bpp:.3f} bits per pixel, {quality}"


def report(console: Console, command: Command, card: Card, found: Iterable[str], encode: str) -> None:
    """Says what was `found` of the model and how to `encode` with it, or prints its card as JSON."""
    if command.json:
        print(json.dumps(card.to_json(), indent=2))
        return
    out = command.out
    beside = ", ".join(out.with_suffix(suffix).name for suffix in BESIDE)
    say(console, *found, f"{out} ({card.bytes:,} bytes), {beside}: encode with law-rl codec {encode} --model {out}")


def say(console: Console, *lines: str) -> None:
    """Prints lines as they are, without breaking long ones."""
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
