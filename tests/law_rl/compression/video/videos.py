"""Small .edicv files for tests."""

import io
import zlib
from fractions import Fraction

from law_rl.compression.video.container import CodedFrame, DamagedVideo, VideoHeader, VideoReader, VideoWriter

HEADER = VideoHeader(width=352, height=288, gop=10, rate=Fraction(25), quality=3, model=b"12345678")

Gop = list[CodedFrame]


def gop(seed: int, count: int, size: int = 4) -> Gop:
    """Frames whose bytes depend on the seed; every third is the shortest, of `size` 4 empty."""
    frames = []
    for place in range(count):
        word = zlib.crc32(bytes((seed, place)))
        content = word.to_bytes(4, "little") * (size // 4)
        frames.append(CodedFrame(content=content[2 * (place % 3) :], pixels_crc=word ^ 1))
    return frames


def file_of(gops: list[Gop], header: VideoHeader = HEADER) -> bytes:
    file = io.BytesIO()
    writer = VideoWriter(file, header)
    for frames in gops:
        writer.write_gop(frames)
    writer.close()
    return file.getvalue()


def read_all(reader: VideoReader) -> dict[int, Gop]:
    """The GOPs that can be read, by their first frames; each error names its GOP in one sentence."""
    found = {}
    for number, entry in enumerate(reader.gops):
        try:
            found[entry.first] = reader.read_gop(number)
        except DamagedVideo as error:
            assert str(error).startswith(f"GOP {number} of the video file, frames {entry.first} to ")
            assert "\n" not in str(error)
    return found
