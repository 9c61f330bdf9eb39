"""Damaged .edicv files: what is decoded must be exact, all else be named as lost, and nothing else may happen.

A clip of six GOPs is damaged in a few hundred ways, some with checksums made right; every frame that comes out is
compared with the one that the whole file gives.
"""

import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from law_rl.compression.video.container import CodedFrame, DamagedVideo, VideoReader, VideoWriter
from law_rl.compression.video.shipped import shipped_video_models
from law_rl.compression.video.video_codec import VideoCodec, load_video_codec
from law_rl.counters import numpy_generator

GOPS, GOP = 6, 2

Frame = NDArray[np.uint8]
Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is decoded."""

    cases: int = 240
    model: str = ""
    """A model's file; none: the least quality that ships."""
    threads: int = 1
    out: Path = RESULTS


def _flipped(content: bytes, generator: Generator) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    places = generator.choice(len(changed), generator.integers(1, 4), replace=False)
    changed[places] ^= generator.integers(1, 256, len(places)).astype(np.uint8)
    return changed.tobytes()


def _truncated(content: bytes, generator: Generator) -> bytes:
    return content[: generator.integers(len(content))]


def _hole(content: bytes, generator: Generator) -> bytes:
    """A piece lost, or doubled."""
    first, size = int(generator.integers(len(content))), int(generator.integers(1, 200))
    times = (0, 2)[generator.integers(2)]
    return content[:first] + times * content[first : first + size] + content[first + size :]


def _zeroed(content: bytes, generator: Generator) -> bytes:
    first, size = int(generator.integers(len(content))), int(generator.integers(1, 300))
    return content[:first] + bytes(len(content[first : first + size])) + content[first + size :]


def _spliced(content: bytes, generator: Generator) -> bytes:
    """A piece put in another place."""
    first, size, to = (int(generator.integers(len(content) // 2)) for _ in range(3))
    return content[:to] + content[first : first + size] + content[to + size :]


def _wrong_frame(content: bytes, generator: Generator) -> bytes:
    """Other bytes of one frame, all checksums of bytes right."""
    reader, file = VideoReader(content), io.BytesIO()
    writer, hit = VideoWriter(file, reader.header), int(generator.integers(len(reader.gops)))
    for number in range(len(reader.gops)):
        frames = reader.read_gop(number)
        if number == hit:
            place = int(generator.integers(len(frames)))
            change = (_flipped, _truncated, _random)[generator.integers(3)]
            other = change(frames[place].content, generator)
            frames[place] = CodedFrame(content=other, pixels_crc=frames[place].pixels_crc)
        writer.write_gop(frames)
    writer.close()
    return file.getvalue()


def _swapped_frames(content: bytes, generator: Generator) -> bytes:
    """Frames of two GOPs exchanged, all checksums of bytes right."""
    reader, file = VideoReader(content), io.BytesIO()
    gops = [reader.read_gop(number) for number in range(len(reader.gops))]
    one, other = generator.choice(len(gops), 2, replace=False)
    gops[one][1], gops[other][1] = gops[other][1], gops[one][1]
    writer = VideoWriter(file, reader.header)
    for frames in gops:
        writer.write_gop(frames)
    writer.close()
    return file.getvalue()


def _random(content: bytes, generator: Generator) -> bytes:
    return generator.bytes(int(generator.integers(len(content) + 1)))


DAMAGES: dict[str, Callable[[bytes, Generator], bytes]] = {
    "flipped bytes": _flipped,
    "truncated": _truncated,
    "a piece lost or doubled": _hole,
    "a piece zeroed": _zeroed,
    "a piece elsewhere": _spliced,
    "a wrong frame, checksums right": _wrong_frame,
    "swapped frames, checksums right": _swapped_frames,
    "random bytes": _random,
}


def clip(count: int = GOPS * GOP, side: int = 64) -> list[Frame]:
    """Waves that move."""
    rows, columns = np.mgrid[:side, :side].astype(np.float64)
    waves = [np.sin((columns + t) / 9) * np.cos((rows - t / 2) / 13) for t in range(count)]
    return [(127 + 100 * np.stack([wave, wave**2, -wave], 2)).clip(0, 255).astype(np.uint8) for wave in waves]


def verdict(codec: VideoCodec, content: bytes, whole: Sequence[Frame]) -> tuple[str, int]:
    """What a damaged file gives, in a word, and how many frames of it are exact."""
    lost: list[range] = []
    found: dict[int, Frame] = {}
    try:
        reader = VideoReader(content)
        for number, frame in codec.decode(reader, lost=lambda frames, error: _note(lost, frames, error)):
            found[number] = frame
    except DamagedVideo as error:
        return ("refused" if _one_sentence(error) else f"said {str(error)!r}"), 0
    except BaseException as error:
        return f"raised {type(error).__name__}: {error}", 0
    if any(not np.array_equal(frame, whole[number]) for number, frame in found.items() if number < len(whole)):
        return "gave a wrong frame", len(found)
    named = {number for frames in lost for number in frames}
    if named & set(found) or (not reader.cut_off and named | set(found) != set(range(reader.frames))):
        return "named wrong frames", len(found)
    return ("frames and the rest named" if found else "refused"), len(found)


def _note(lost: list[range], frames: range, error: DamagedVideo) -> None:
    if not _one_sentence(error):
        raise AssertionError(f"an error of another form: {error}")
    lost.append(frames)


def _one_sentence(error: DamagedVideo) -> bool:
    return bool(str(error)) and "\n" not in str(error)


def damaged(content: bytes, number: int) -> tuple[str, bytes]:
    """The kind and the bytes of a case."""
    kind = list(DAMAGES)[number % len(DAMAGES)]
    return kind, DAMAGES[kind](content, numpy_generator(0, "damaged video", number))


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    codec = load_video_codec(options.model or min(shipped_video_models()))
    file = io.BytesIO()
    codec.encode(clip(), file, gop=GOP)
    content = file.getvalue()
    whole = [frame for _, frame in codec.decode(VideoReader(content))]
    seen: dict[str, Counter[str]] = {kind: Counter() for kind in DAMAGES}
    frames, slowest = Counter[str](), 0.0
    with bar("files", options.cases) as line:
        for number in range(options.cases):
            kind, changed = damaged(content, number)
            begun = time.perf_counter()
            word, exact = verdict(codec, changed, whole)
            slowest = max(slowest, time.perf_counter() - begun)
            seen[kind][word] += 1
            frames[kind] += exact
            line.show(number + 1)
    write(options, seen, frames, slowest, len(content))


def write(options: Options, seen: dict[str, Counter[str]], frames: Counter[str], slowest: float, size: int) -> None:
    """Prints and keeps the table; SystemExit where a file was not handled as it must be."""
    rows = [
        (kind, sum(words.values()), words["frames and the rest named"], words["refused"], frames[kind])
        for kind, words in seen.items()
    ]
    bad = {kind: dict(words) for kind, words in seen.items() if set(words) - {"frames and the rest named", "refused"}}
    header = ("damage", "files", "exact frames, the rest named", "refused whole", "exact frames in all")
    text = (
        f"{markdown_table(header, rows)}\n\nA file of {size:,} bytes, {GOPS} GOPs of {GOP} frames of 64 x 64; slowest "
        f"case {slowest:.1f} s; {'no other outcome' if not bad else f'other outcomes: {bad}'}."
    )
    value = {"outcomes": {kind: dict(words) for kind, words in seen.items()}, "slowest_seconds": slowest}
    write_results(options.out, "video_damage", value, text)
    print(text)
    if bad:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
