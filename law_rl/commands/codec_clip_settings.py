"""Clips measured at settings of the video codec and of others."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from law_rl.commands.codec_batch import Tell
from law_rl.commands.codec_curves import Setting
from law_rl.commands.codec_frames import cut_clip
from law_rl.compression.video.clip import Clip, Frame
from law_rl.compression.video.clip_metrics import MeasuredClip, measure_clip
from law_rl.compression.video.container import VideoReader
from law_rl.compression.video.header import MOST_FRAMES_A_GOP
from law_rl.compression.video.peers import VideoPeer
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.video_codec import VideoCodec

ClipSetting = Setting[Clip, MeasuredClip]
READINGS = 2
"""How often a clip is read to be measured: to be encoded, and to be compared with what was decoded."""


def model_setting(codec: str, setting: str, model: VideoCodec, gop: int) -> ClipSetting:
    """The video codec with one model; bytes are those of the whole file. ValueError for a GOP that no file can have."""
    if not 1 <= gop <= MOST_FRAMES_A_GOP:
        raise ValueError(f"gop is {gop}: give a number of frames from 1 to {MOST_FRAMES_A_GOP}")

    def measured(name: str, clip: Clip) -> MeasuredClip:
        return measure_clip(
            name,
            clip,
            lambda frames: _encoded(model, frames, clip.rate, gop),
            lambda content: (frame for _, frame in model.decode(VideoReader(content))),
        )

    return ClipSetting(codec=codec, setting=setting, measure=measured)


def peer_settings(peer: VideoPeer) -> list[ClipSetting]:
    """Another codec at each of its rate factors; bytes are those of the stream without a container."""

    def at(crf: int) -> Callable[[str, Clip], MeasuredClip]:
        return lambda name, clip: measure_clip(
            name, clip, lambda frames: peer.encode(frames, clip.rate, crf), peer.decode
        )

    return [ClipSetting(codec=peer.name, setting=f"crf {crf}", measure=at(crf)) for crf in peer.crfs]


def measure_path(path: Path, frames: str, settings: Sequence[ClipSetting], tell: Tell) -> list[MeasuredClip]:
    """The frames FIRST:LAST of the clip at `path` at each setting; `tell` hears which share of them is done.

    Raises ValueError, in which the path is named, for what cannot be read or coded.
    """
    try:
        clip = _watched(cut_clip(open_clip(path), frames), READINGS * len(settings), tell)
        return [each.measure(str(path), clip) for each in settings]
    except ValueError as error:
        if str(error).startswith((f"{path} ", f"{path}{os.sep}")):
            raise
        raise ValueError(f"{path}: {error}") from error


def _encoded(model: VideoCodec, frames: Iterable[Frame], rate: Fraction | None, gop: int) -> bytes:
    file = io.BytesIO()
    model.encode(frames, file, gop=gop, rate=rate)
    return file.getvalue()


def _watched(clip: Clip, readings: int, tell: Tell) -> Clip:
    """The clip, which tells of each frame that is read how much of so many readings is done, where its number of frames
    is known.
    """
    seen = 0

    def read(first: int, last: int | None) -> Iterator[Frame]:
        nonlocal seen
        for frame in clip.read(first, last):
            tell(seen / (readings * clip.frames) if clip.frames else 0.0)
            seen += 1
            yield frame

    return replace(clip, read=read)
