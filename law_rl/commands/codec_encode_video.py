"""A clip into an .edicv file."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from law_rl.commands.codec_frames import cut_clip
from law_rl.commands.codec_video_arguments import CodecEncodeVideoCommand
from law_rl.commands.codec_video_files import encoding_job
from law_rl.commands.codec_video_models import chosen_video_codec
from law_rl.compression.video.clip import Clip
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.video_codec import VideoCodec
from law_rl.files import atomic_file
from law_rl.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """What came of a clip."""

    frames: int
    seconds: float


def encode_video(command: CodecEncodeVideoCommand) -> None:
    """Writes the file, and says what it costs."""
    job = encoding_job(command.files, overwrite=command.overwrite)
    clip = cut_clip(open_clip(job.source), command.frames)
    codec = chosen_video_codec(command.quality, command.model, command.intra, command.device)
    console = Console()
    encoded = _encode(codec, clip, job.target, command.gop, console)
    costs = ", ".join(_costs(clip, encoded, job.target.stat().st_size))
    console.print(f"{job.target}: {costs}", highlight=False, markup=False, soft_wrap=True)


def _encode(codec: VideoCodec, clip: Clip, target: Path, gop: int, console: Console) -> Encoded:
    begun = time.monotonic()
    with Progress(console) as progress, atomic_file(target) as file:
        progress.frames("encode", 0, clip.frames)
        frames = codec.encode(
            clip, file, gop=gop, rate=clip.rate, show=lambda done: progress.frames("encode", done, clip.frames)
        )
    return Encoded(frames=frames, seconds=time.monotonic() - begun)


def _costs(clip: Clip, encoded: Encoded, size: int) -> list[str]:
    costs = [
        f"{encoded.frames} frames",
        f"{size:,} bytes",
        f"{8 * size / (clip.width * clip.height * encoded.frames):.4f} bits per pixel",
    ]
    if clip.rate is not None:
        costs.append(f"{float(8 * size * clip.rate / encoded.frames / 1000):.1f} kbit/s")
    return [*costs, f"{encoded.frames / max(encoded.seconds, 1e-9):.2f} frames per second"]
