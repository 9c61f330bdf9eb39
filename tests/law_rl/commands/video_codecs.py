"""Tiny video models and clips as files, and the commands that use them."""

from pathlib import Path

from law_rl.compression.pictures import write_picture
from law_rl.compression.video.video_codec import VideoCodec
from tests.law_rl.commands.cli import law_rl
from tests.law_rl.compression.video.tiny import intra_model, moving, video_model

MODEL, INTRA = "tiny.safetensors", "intra.safetensors"


def write_models(folder: Path) -> VideoCodec:
    """The tiny video model and its intra model, as MODEL and INTRA."""
    video_model().save(folder / MODEL)
    intra_model().save(folder / INTRA)
    return video_codec()


def video_codec() -> VideoCodec:
    return VideoCodec(video_model(), intra_model())


def write_clip(folder: Path, count: int = 3, height: int = 70, width: int = 90, seed: int = 0) -> Path:
    """A folder of `count` pictures that move."""
    for number, frame in enumerate(moving(count, height, width, seed)):
        write_picture(folder / f"{number}.png", frame)
    return folder


def with_models(verb: str, *arguments: str, models: Path, cwd: Path, status: int = 0) -> tuple[str, str]:
    """What a verb of the codec prints that is told both models."""
    named = "--model", str(models / MODEL), "--intra", str(models / INTRA)
    return law_rl("codec", verb, *arguments, *named, cwd=cwd, status=status)
