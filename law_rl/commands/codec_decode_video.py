"""An .edicv file into a clip."""

import sys
import time
from collections.abc import Iterable, Iterator

from rich.console import Console

from law_rl.commands.codec_files import Job
from law_rl.commands.codec_frames import frames_asked, in_words
from law_rl.commands.codec_video_arguments import CodecDecodeVideoCommand
from law_rl.commands.codec_video_files import decoding_job
from law_rl.commands.codec_video_models import decoding_video_codec
from law_rl.compression.video.clip import Frame
from law_rl.compression.video.container import DamagedVideo, VideoReader, lost_frames, open_video
from law_rl.compression.video.sinks import ClipWriter, clip_writer
from law_rl.compression.video.video_codec import VideoCodec
from law_rl.progress import Progress


def decode_video(command: CodecDecodeVideoCommand) -> None:
    """Writes the clip; ValueError, once that is done, where frames are lost or the file ends too early."""
    job, console = decoding_job(command.files, overwrite=command.overwrite), Console()
    with open_video(job.source, max_pixels=command.max_pixels) as reader:
        if not reader.frames:
            raise ValueError(f"{job.source}: no frame of it is left: copy the file again")
        header, frames = reader.header, frames_asked(command.frames, reader.frames)
        target = clip_writer(
            job.target, header.width, header.height, header.rate, first=frames.start, overwrite=command.overwrite
        )
        with target as writer, Progress(console) as progress:
            codec, begun = _codec(job, reader, command), time.monotonic()
            _write(_decoded(job, codec, reader, frames), frames, writer, progress)
            if not writer.frames:
                raise ValueError(f"{job.source}: no frame can be decoded, see above; nothing is written")
    speed = writer.frames / max(time.monotonic() - begun, 1e-9)
    repeated = len(frames) - writer.frames if job.target.suffix else 0
    copies = f" and {repeated} copies in place of lost ones" if repeated else ""
    text = f"{job.target}: {writer.frames} frames{copies}, {speed:.2f} frames per second"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    to_the_end = not command.frames or command.frames.endswith(":")
    _end(job, len(frames) - writer.frames, len(frames), cut_off=reader.cut_off and to_the_end)


def _codec(job: Job, reader: VideoReader, command: CodecDecodeVideoCommand) -> VideoCodec:
    try:
        return decoding_video_codec(reader.header.model, command.model, command.intra)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{job.source}: {error}") from error


def _decoded(job: Job, codec: VideoCodec, reader: VideoReader, frames: range) -> Iterator[tuple[int, Frame]]:
    """Those of the frames that can be decoded; all others are named on standard error."""

    def report(lost: range, why: str) -> None:
        asked = range(max(lost.start, frames.start), min(lost.stop, frames.stop))
        if asked:
            verb, whose = ("is", "its") if len(asked) == 1 else ("are", "their")
            print(f"law-rl: {in_words(asked)} {verb} lost with {whose} GOP: {why}", file=sys.stderr, flush=True)

    for lost in lost_frames([gop.frames for gop in reader.gops], reader.frames):
        report(lost, "its head is damaged: copy the file again")
    try:
        yield from codec.decode(reader, frames, lost=lambda lost, error: report(lost, _reason(error)))
    except DamagedVideo as error:
        raise ValueError(f"{job.source}: {error}") from error


def _reason(error: DamagedVideo) -> str:
    """What is wrong, without the frames' names where that can be had."""
    return str(error.__cause__ if isinstance(error.__cause__, DamagedVideo) else error)


def _write(found: Iterable[tuple[int, Frame]], frames: range, writer: ClipWriter, progress: Progress) -> None:
    progress.frames("decode", 0, len(frames))
    at = frames.start
    for number, frame in found:
        writer.miss(number - at)
        writer.write(frame)
        at = number + 1
        progress.frames("decode", at - frames.start, len(frames))
    writer.miss(frames.stop - at)


def _end(job: Job, lost: int, asked: int, *, cut_off: bool) -> None:
    """ValueError where the clip is not all that was in the file."""
    problems = [f"{lost} of {asked} frames are lost, see above"] if lost else []
    if cut_off:
        problems.append("its end is missing or damaged, so that it may have had more frames")
    if problems:
        raise ValueError(f"{job.source}: {'; '.join(problems)}; the others are written to {job.target}")
