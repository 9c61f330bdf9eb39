"""What `--frames FIRST:LAST` asks for."""

import re

from law_rl.compression.video.clip import Clip


def bounds(text: str) -> tuple[int, int | None]:
    """The numbers in FIRST:LAST, 0 and None (to the end) for those that are missing; ValueError for other texts and
    for no frames.
    """
    parts = re.fullmatch(r"([0-9]*):([0-9]*)", text or ":")
    if parts is None:
        raise ValueError(f"--frames is {text!r}: give FIRST:LAST, such as 0:100, :100 or 100:")
    first, last = int(parts[1] or 0), int(parts[2]) if parts[2] else None
    if last is not None and first >= last:
        raise ValueError(f"--frames is {text!r}, which are none: give a FIRST below LAST, which is left out itself")
    return first, last


def cut_clip(clip: Clip, text: str) -> Clip:
    """The frames of the clip that the text asks for, all for no text; ValueError where they are not there."""
    return clip.cut(*bounds(text)) if text else clip


def frames_asked(text: str, frames: int) -> range:
    """The numbers among `frames` of them that the text asks for; ValueError where they are not there."""
    first, last = bounds(text)
    stop = frames if last is None else last
    if not first < stop <= frames:
        raise ValueError(f"--frames is {text!r}, there are {frames} frames: give some of 0:{frames}")
    return range(first, stop)


def in_words(frames: range) -> str:
    """Frames by their numbers, such as "frames 10 to 19"."""
    return f"frame {frames.start}" if len(frames) == 1 else f"frames {frames.start} to {frames[-1]}"
