"""One codec trained on photographs, as a model file for `law-rl codec encode --model`."""

from rich.console import Console

from law_rl.commands.codec_arguments import CodecTrainCommand
from law_rl.commands.codec_trainings import checkpoint_of, config_of, moment_text, photographs_of, report, run, say
from law_rl.compression.codec_training import codec_training
from law_rl.compression.network.codec_network import PAPER_HIGH, PAPER_LOW, SMALL, CodecConfig
from law_rl.compression.photographs import Photographs
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.training_output import put_out
from law_rl.devices import find_device

SIZES = {"small": SMALL, "paper-low": PAPER_LOW, "paper-high": PAPER_HIGH}


def train(command: CodecTrainCommand) -> None:
    """Trains, or goes on with what was stopped, writes the model with its card, and says how good it is."""
    checkpoint, console = checkpoint_of(command), Console(stderr=command.json)
    config = config_of(TrainingConfig, command, distortion=command.distortion)
    files = photographs_of(command)
    photographs = Photographs(files.train, config.crop, find_device(command.device))
    training = codec_training(codec_config(command), config, photographs, checkpoint)
    held_out = f"{len(files.validation):,}"
    say(console, f"{len(files.train):,} photographs of {files.name} to train on, {held_out} held out")
    run(training, console, checkpoint, lambda moment: moment_text(moment, config))
    card = put_out(training, files, command.out, quality=command.quality)
    checkpoint.unlink()
    quality = f"{card.validation.bpp:.3f} bits per pixel at {card.validation.psnr:.2f} dB"
    report(console, command, card, [f"{quality} on {held_out} photographs held out"], "encode PICTURE")


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
