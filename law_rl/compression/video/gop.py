"""A group of pictures (GOP) as bytes: its head says where it ends, its payload holds its frames, an intra one first."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes, varint
from law_rl.compression.video.header import DamagedVideo

MARK = b"GOP"
MOST_HEAD_BYTES = len(MARK) + 3 * 5 + 4

_LEAST_FRAME_BYTES = 1 + 4


@dataclass(frozen=True, kw_only=True)
class CodedFrame:
    """A frame's bytes, one stream of one range coder, and the CRC32 of its decoded pixels (`crc_of_pixels`)."""

    content: bytes
    pixels_crc: int


def crc_of_pixels(pixels: NDArray[np.uint8]) -> int:
    """The CRC32 of a frame uint8 [H, W, 3]."""
    return zlib.crc32(pixels.tobytes())


@dataclass(frozen=True, kw_only=True, slots=True)
class GopEntry:
    """Where a GOP lies: `count` frames from number `first` on; `length` bytes of payload, and its head at `offset`."""

    first: int
    count: int
    offset: int
    length: int

    @property
    def frames(self) -> range:
        """The numbers of its frames."""
        return range(self.first, self.first + self.count)

    @property
    def end(self) -> int:
        """The offset of the byte after it."""
        return self.offset + len(self._plain_head) + 4 + self.length + 4

    def head(self, seal: int) -> bytes:
        """Its head's bytes with their CRC32 in a file of that seal."""
        return self._plain_head + crc_bytes(self._head_crc(seal))

    def payload_crc(self, payload: bytes, seal: int) -> int:
        """The CRC32 of its payload, which goes on from its head's."""
        return zlib.crc32(payload, self._head_crc(seal))

    @property
    def possible(self) -> bool:
        """Whether the payload has the bytes that so many frames need at least."""
        return self.length >= self.count * _LEAST_FRAME_BYTES > 0

    @property
    def _plain_head(self) -> bytes:
        return MARK + varint(self.first) + varint(self.count) + varint(self.length)

    def _head_crc(self, seal: int) -> int:
        return zlib.crc32(self._plain_head, seal)


def encode_payload(frames: Sequence[CodedFrame]) -> bytes:
    """The bytes of a GOP's frames."""
    return b"".join(varint(len(frame.content)) + frame.content + crc_bytes(frame.pixels_crc) for frame in frames)


def decode_gop(content: bytes, entry: GopEntry, seal: int) -> list[CodedFrame]:
    """The frames in a GOP's bytes; DamagedVideo where they are not those of this entry."""
    head, payload = entry.head(seal), content[-entry.length - 4 : -4]
    if content != head + payload + crc_bytes(entry.payload_crc(payload, seal)):
        raise DamagedVideo("its bytes are damaged: copy the file again")
    reader = ByteReader(payload, file="its payload", error=DamagedVideo)
    frames = [_frame(reader) for _ in range(entry.count)]
    if reader.left:
        raise DamagedVideo("its payload goes on after its frames: encode the video again")
    return frames


def _frame(reader: ByteReader) -> CodedFrame:
    what = "a frame"
    content = reader.take(reader.varint(what), what)
    return CodedFrame(content=content, pixels_crc=int.from_bytes(reader.take(4, what), "little"))
