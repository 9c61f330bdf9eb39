"""What an .edicv file holds, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from law_rl.commands.codec_frames import in_words
from law_rl.commands.codec_video_files import EDICV
from law_rl.compression.video.container import Damage, DamagedVideo, VideoReader, open_video
from law_rl.compression.video.header import MAGIC
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.shipped import video_model_of_hash, video_model_path


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What is known of a file; None where it cannot be known.

    `rate`: frames a second, as a fraction. `frames` and `gops` count those that are known of. `model` is the hash of
    the model that wrote it, `model_file` the file that is used for it. `whole`: all GOPs are as they were written;
    `lost`: pairs of the first frame of a damaged GOP and the one after its last; `cut_off`: the end is missing or
    damaged. `problem` is what is wrong.
    """

    file: str
    bytes: int
    width: int | None = None
    height: int | None = None
    rate: str | None = None
    frames: int | None = None
    gops: int | None = None
    gop: int | None = None
    bits_per_pixel: float | None = None
    kilobits_per_second: float | None = None
    quality: int | None = None
    model: str | None = None
    model_file: str | None = None
    whole: bool
    lost: list[tuple[int, int]] | None = None
    cut_off: bool | None = None
    problem: str | None = None

    def lines(self) -> Iterator[str]:
        """The facts in words, one a line."""
        yield f"{self.file}: {self.bytes:,} bytes"
        if self.width is not None:
            speed = "" if self.rate is None else f", {float(Fraction(self.rate)):.5g} frames per second"
            yield f"video: {self.width} x {self.height}, {self.frames} frames{speed}"
            yield f"GOPs: {self.gops} of at most {self.gop} frames"
            yield f"model: quality {self.quality}, hash {self.model}, {self.model_file or 'not found here'}"
        if self.bits_per_pixel is not None:
            speed = "" if self.kilobits_per_second is None else f", {self.kilobits_per_second:.1f} kbit/s"
            yield f"rate: {self.bits_per_pixel:.4f} bits per pixel{speed}"
        yield f"checks: {'all frames are as they were written' if self.whole else 'damaged'}"


def is_video(path: Path) -> bool:
    """Whether a file begins as videos do, or is named like one."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC or path.suffix.lower() == EDICV


def examine_video(path: Path, model: Path | None) -> VideoFacts:
    """The facts of a file that is there, without decoding it; FileNotFoundError where the model that is named is not.

    Frames are checked by the bytes of their GOPs.
    """
    facts = VideoFacts(file=str(path), bytes=path.stat().st_size, whole=False)
    try:
        with open_video(path) as reader:
            used = _shipped_model(reader.header.model) if model is None else video_model_path(model)
            facts = _with_damage(_with_header(facts, reader, used), reader, reader.damage())
            return facts if used is None or facts.problem is not None else _with_model(facts, reader, used)
    except DamagedVideo as error:
        return replace(facts, problem=str(error).removeprefix(f"{path}: "))


def _with_header(facts: VideoFacts, reader: VideoReader, used: Path | None) -> VideoFacts:
    header = reader.header
    return replace(
        facts,
        width=header.width,
        height=header.height,
        rate=None if header.rate is None else str(header.rate),
        frames=reader.frames,
        gops=len(reader.gops),
        gop=header.gop,
        quality=header.quality,
        model=header.model.hex(),
        model_file=None if used is None else str(used),
    )


def _with_damage(facts: VideoFacts, reader: VideoReader, damage: Damage) -> VideoFacts:
    facts = replace(facts, lost=[(lost.start, lost.stop) for lost in damage.lost], cut_off=damage.cut_off)
    if damage.lost or damage.cut_off:
        return replace(facts, problem=_problem(reader, damage))
    header, bits = reader.header, 8 * facts.bytes / reader.frames
    return replace(
        facts,
        whole=True,
        bits_per_pixel=bits / (header.width * header.height),
        kilobits_per_second=None if header.rate is None else float(bits * header.rate / 1000),
    )


def _with_model(facts: VideoFacts, reader: VideoReader, used: Path) -> VideoFacts:
    found, needed = VideoModel.read_head(used)["hash"], reader.header.model.hex()
    problem = None if found == needed else f"it was made with model {needed}, {used} is {found}: give that model"
    return replace(facts, problem=problem)


def _problem(reader: VideoReader, damage: Damage) -> str:
    problems = []
    if damage.lost:
        problems.append(f"{', '.join(map(in_words, damage.lost))} of {reader.frames} frames are lost")
    if damage.cut_off:
        problems.append("its end is missing or damaged, so that it may have had more frames")
    return f"{'; '.join(problems)}: copy the file again"


def _shipped_model(model: bytes) -> Path | None:
    """The file of the model that ships and has this hash; None where none has."""
    try:
        return video_model_of_hash(model)
    except FileNotFoundError:
        return None
