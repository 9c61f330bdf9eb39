"""The .edicv file: a video in GOPs that are found, checked and decoded each on its own.

    header   "EDIV", version, quality (a byte each), model (8 bytes), width, height, frames of a GOP at most, numerator
             and denominator of the frames a second, 0 / 1 where unknown (varints), stamp: CRC32 of the first GOP's
             payload, CRC32 of all this
    GOP      head: "GOP", number of its first frame, number of frames, length of its payload (varints), CRC32 of these
             payload: its frames, the first an intra frame, all others predicted
             CRC32 of the payload, going on from the head's
    frame    length (varint), range-coded bytes; CRC32 of the decoded pixels, uint8 [H, W, 3]
    index    the header again; of each GOP the number of frames and the length of its payload (varints); CRC32 of these
             numbers; length of the index up to here (8 bytes); "END"

CRC32s of heads and numbers go on from the header's, so that nothing of another video fits. Beside its range-coded bytes
a frame costs 5 bytes, from 128 bytes on 6 and from 16 KiB on 7; a GOP mostly 16 to 22, a file 73 or little more. It is
written in one pass. A damaged GOP is lost alone: the index says where the next is. Where the index is damaged or cut
off, GOPs are found by their heads; where the header is damaged, the index has it.
"""

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes
from law_rl.compression.bitstream.container import MAX_PIXELS
from law_rl.compression.video.gop import CodedFrame, GopEntry, crc_of_pixels, decode_gop, encode_payload
from law_rl.compression.video.gop_search import MOST_FRAMES, encode_index, read_index, scan
from law_rl.compression.video.header import DamagedVideo, StampedHeader, VideoHeader

__all__ = [
    "CodedFrame",
    "Damage",
    "DamagedVideo",
    "GopEntry",
    "VideoHeader",
    "VideoReader",
    "VideoWriter",
    "crc_of_pixels",
    "lost_frames",
    "open_video",
]

_MOST_HEADER_BYTES = 64


class VideoWriter:
    """Writes GOPs to a file or pipe as they come; without `close` the file is one that was cut off."""

    def __init__(self, file: BinaryIO, header: VideoHeader) -> None:
        self._file, self._header = file, header
        self._stamped: StampedHeader | None = None
        self._gops: list[GopEntry] = []

    def write_gop(self, frames: Sequence[CodedFrame]) -> None:
        """Writes one GOP, an intra frame and then predicted ones. Raises ValueError, having written nothing, for no
        frames and for more than the header or a file allows.
        """
        payload = encode_payload(frames)
        entry = self._next_entry(len(frames), len(payload))
        if self._stamped is None:
            self._stamped = StampedHeader(header=self._header, stamp=zlib.crc32(payload))
            self._file.write(self._stamped.encode())
        seal = self._stamped.seal
        self._file.write(entry.head(seal) + payload + crc_bytes(entry.payload_crc(payload, seal)))
        self._gops.append(entry)

    def close(self) -> None:
        """Writes the index; the file stays open. Raises ValueError where nothing was written."""
        if self._stamped is None:
            raise ValueError("the video has no frames: give at least one")
        self._file.write(encode_index(self._stamped, self._gops))

    def _next_entry(self, count: int, length: int) -> GopEntry:
        first, offset = (self._gops[-1].frames.stop, self._gops[-1].end) if self._gops else (0, 0)
        if not 1 <= count <= self._header.gop:
            raise ValueError(f"the GOP has {count} frames: give 1 to {self._header.gop}, as the header says")
        if first + count > MOST_FRAMES:
            raise ValueError(f"the video has more than {MOST_FRAMES} frames: write it to several files")
        return GopEntry(first=first, count=count, offset=offset, length=length)


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What of a video cannot be decoded: frames that are `lost`, and whether it is `cut_off`: its end is missing or
    damaged, so that it may have had more frames.
    """

    lost: tuple[range, ...]
    cut_off: bool


class VideoReader:
    """The GOPs of an .edicv file, in any order; `content` are its bytes or, so that no more is read than asked for, its
    memory map (`open_video`). Threads may call.

    header    what the file says about the video
    gops      where its GOPs are, by their first frames; a damaged one may be missing
    frames    their number, including lost ones; of a video that is cut off, those that are known of
    cut_off   as in `Damage`

    Raises DamagedVideo, a ValueError of one sentence, for what is no .edicv file, and for frames of more than
    `max_pixels`.
    """

    def __init__(self, content: bytes | mmap, *, max_pixels: int = MAX_PIXELS) -> None:
        self._content = content
        try:
            stamped, gops = read_index(content, max_pixels)
            frames, self.cut_off = gops[-1].frames.stop, False
        except DamagedVideo:
            front = ByteReader(content[:_MOST_HEADER_BYTES], file="the video file", error=DamagedVideo)
            stamped, self.cut_off = StampedHeader.read(front, max_pixels), True
            gops, frames = scan(content, stamped)
        self.header, self.gops, self.frames, self._seal = stamped.header, tuple(gops), frames, stamped.seal

    def read_gop(self, number: int) -> list[CodedFrame]:
        """The frames of the GOP of that number, just as they were written; DamagedVideo, which names it, where they
        are not.
        """
        gop = self.gops[number]
        try:
            return decode_gop(self._content[gop.offset : gop.end], gop, self._seal)
        except DamagedVideo as error:
            raise DamagedVideo(
                f"GOP {number} of the video file, frames {gop.first} to {gop.frames[-1]}, is lost, as {error}"
            ) from error

    def gop_of(self, frame: int) -> int:
        """The number of the GOP of a frame; DamagedVideo where no GOP that was found has it."""
        number = bisect_right(self.gops, frame, key=lambda gop: gop.first) - 1
        if number < 0 or frame not in self.gops[number].frames:
            raise DamagedVideo(f"the video file has no frame {frame} of {self.frames}: copy the file again")
        return number

    def damage(self) -> Damage:
        """What is lost, by reading all GOPs without decoding them."""
        whole = [gop.frames for number, gop in enumerate(self.gops) if self._is_whole(number)]
        return Damage(lost=lost_frames(whole, self.frames), cut_off=self.cut_off)

    def _is_whole(self, number: int) -> bool:
        try:
            return bool(self.read_gop(number))
        except DamagedVideo:
            return False


@contextmanager
def open_video(path: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[VideoReader]:
    """The reader of a file, of which only what is asked for is read. Raises FileNotFoundError where there is none, and
    DamagedVideo as `VideoReader` does, with the path in front.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no video {path}: give a file that `law-rl codec encode-video` wrote")
    with open(path, "rb") as file:
        if not path.stat().st_size:
            raise DamagedVideo(f"{path} is empty: copy the file again")
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            try:
                reader = VideoReader(content, max_pixels=max_pixels)
            except DamagedVideo as error:
                raise DamagedVideo(f"{path}: {error}") from error
            yield reader


def lost_frames(whole: Iterable[range], frames: int) -> tuple[range, ...]:
    """What the ascending ranges `whole` leave out of range(frames)."""
    lost, end = [], 0
    for part in [*whole, range(frames, frames)]:
        if part.start > end:
            lost.append(range(end, part.start))
        end = part.stop
    return tuple(lost)
