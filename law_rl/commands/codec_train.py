"""One codec trained on photographs, as a model file for `law-rl codec encode --model`."""

import json
import math
from pathlib import Path

from rich.console import Console

from law_rl.commands.codec_arguments import CodecTrainCommand
from law_rl.compression.model_card import CodecCard
from law_rl.compression.network.codec_network import PAPER_HIGH, PAPER_LOW, SMALL, CodecConfig
from law_rl.compression.photograph_files import PhotographFiles, read_photographs, sample_photographs
from law_rl.compression.photographs import Photographs
from law_rl.compression.training import Moment, Training, train_together
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.training_output import put_out
from law_rl.progress import Progress

SIZES = {"small": SMALL, "paper-low": PAPER_LOW, "paper-high": PAPER_HIGH}


def train(command: CodecTrainCommand) -> None:
    """Trains, or goes on with what was stopped, writes the model with its card, and says how good it is."""
    if command.out.exists():
        raise ValueError(f"{command.out} exists: give another name, or delete it")
    console = Console(stderr=command.json)
    files = read_photographs(command.folders) if command.folders else sample_photographs()
    config, checkpoint = training_config(command), command.out.with_suffix(".checkpoint")
    photographs = Photographs(files.train, config.crop, command.device)
    training = Training(codec_config(command), config, photographs, checkpoint)
    _announce(console, files, training, checkpoint)
    with Progress(console) as progress:
        train_together([training], lambda _, moment: progress.codec(*_shown(moment, config)))
    card = put_out(training, files, command.out, quality=command.quality)
    checkpoint.unlink()
    _report(console, command, card)


def codec_config(command: CodecTrainCommand) -> CodecConfig:
    """The network that the flags describe."""
    size = SIZES[command.size]
    return CodecConfig(
        width=size.width,
        latents=size.latents,
        components=command.components,
        attention=command.attention,
        enhancement=command.enhancement,
    )


def training_config(command: CodecTrainCommand) -> TrainingConfig:
    """The training that the flags describe; with `minutes` alone it is not ended by steps."""
    steps = command.steps
    if steps is None and command.minutes is None:
        steps = TrainingConfig.steps
    return TrainingConfig(
        lambda_=command.lambda_,
        distortion=command.distortion,
        steps=steps,
        minutes=command.minutes,
        batch=command.batch,
        crop=command.crop,
        learning_rate=command.learning_rate,
        bfloat16=command.bfloat16,
        seed=command.seed,
    )


def _announce(console: Console, files: PhotographFiles, training: Training, checkpoint: Path) -> None:
    gone_on = f", taken up at step {training.step:,}" if training.step else ""
    text = (
        f"{len(files.train):,} photographs of {files.name} to train on, {len(files.validation):,} held out{gone_on}; "
        f"stopped, the same command goes on from {checkpoint}"
    )
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _shown(moment: Moment, config: TrainingConfig) -> tuple[str, float]:
    if config.distortion == "mse":
        quality = f"{-10 * math.log10(max(moment.distortion, 1e-10)):.2f} dB"
    else:
        quality = f"MS-SSIM {1 - moment.distortion:.4f}"
    text = f"step {moment.step:,}, cost {moment.cost:.3f}, {moment.bpp:.3f} bits per pixel, {quality}"
    return text, moment.progress


def _report(console: Console, command: CodecTrainCommand, card: CodecCard) -> None:
    if command.json:
        print(json.dumps(card.to_json(), indent=2))
        return
    found, out = card.validation, command.out
    lines = [
        f"{found.bpp:.3f} bits per pixel at {found.psnr:.2f} dB on {card.photographs.validation} photographs held out",
        f"{out} ({card.bytes:,} bytes), {out.with_suffix('.md').name}, {out.with_suffix('.json').name}: encode with "
        f"law-rl codec encode PICTURE --model {out}",
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
