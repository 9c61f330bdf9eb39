"""Where the GOPs of a file lie: by the index at its end, or, where that is damaged or cut off, by their marks."""

import zlib
from collections.abc import Iterator, Sequence
from mmap import mmap

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes, varint
from law_rl.compression.video.gop import MARK, MOST_HEAD_BYTES, GopEntry
from law_rl.compression.video.header import DamagedVideo, StampedHeader

END = b"END"
MOST_FRAMES = 1 << 31

_LENGTH_BYTES = 8


def encode_index(header: StampedHeader, gops: Sequence[GopEntry]) -> bytes:
    """The bytes that end a file."""
    numbers = b"".join(varint(gop.count) + varint(gop.length) for gop in gops)
    index = header.encode() + numbers + crc_bytes(zlib.crc32(numbers, header.seal))
    return index + len(index).to_bytes(_LENGTH_BYTES, "little") + END


def read_index(content: bytes | mmap, max_pixels: int) -> tuple[StampedHeader, list[GopEntry]]:
    """What a file's end says: its header again, and where the GOPs are. DamagedVideo where that does not fit."""
    if content[-len(END) :] != END:
        raise DamagedVideo("the video file has no end mark: copy the file again")
    end = len(content) - _LENGTH_BYTES - len(END)
    start = end - int.from_bytes(content[end : end + _LENGTH_BYTES], "little")
    reader = ByteReader(content[start:end], file="the video file", error=DamagedVideo)
    header = StampedHeader.read(reader, max_pixels)
    numbers = reader.take(max(reader.left - 4, 0), "its index")
    if reader.take(4, "its index") != crc_bytes(zlib.crc32(numbers, header.seal)):
        raise DamagedVideo("the index of the video file is damaged: copy the file again")
    gops = list(_entries(numbers, header, start))
    if not gops or gops[-1].end != start:
        raise DamagedVideo("the index of the video file does not fit the file: copy the file again")
    return header, gops


def _entries(numbers: bytes, header: StampedHeader, end: int) -> Iterator[GopEntry]:
    reader = ByteReader(numbers, file="the video file", error=DamagedVideo)
    first, offset = 0, len(header.encode())
    while reader.left:
        count, length = reader.varint("its index"), reader.varint("its index")
        entry = GopEntry(first=first, count=count, offset=offset, length=length)
        if not _fits(entry, header, end):
            raise DamagedVideo("the index of the video file does not fit the file: copy the file again")
        yield entry
        first, offset = first + count, entry.end


def scan(content: bytes | mmap, header: StampedHeader) -> tuple[list[GopEntry], int]:
    """The GOPs whose heads are whole and which end before the next one's head, and the number of frames up to the last
    head that is whole.

    Every mark is looked at, so that a GOP with missing bytes hides no other; the time is linear in the file's length.
    """
    gops: list[GopEntry] = []
    frames, place = 0, content.find(MARK)
    while place >= 0:
        entry = _entry_at(content, place, header)
        if entry is not None and entry.first >= frames:
            if gops and gops[-1].end > place:
                gops.pop()
            gops.append(entry)
            frames = entry.first + entry.count
        place = content.find(MARK, place + 1)
    if gops and gops[-1].end > len(content):
        gops.pop()
    return gops, frames


def _entry_at(content: bytes | mmap, place: int, header: StampedHeader) -> GopEntry | None:
    found = content[place : place + MOST_HEAD_BYTES]
    reader = ByteReader(found[len(MARK) :], file="the video file", error=DamagedVideo)
    try:
        first, count, length = (reader.varint("a GOP") for _ in range(3))
    except DamagedVideo:
        return None
    entry = GopEntry(first=first, count=count, offset=place, length=length)
    return entry if found.startswith(entry.head(header.seal)) and _fits(entry, header) else None


def _fits(entry: GopEntry, header: StampedHeader, end: int | None = None) -> bool:
    return (
        entry.possible
        and entry.count <= header.header.gop
        and entry.first + entry.count <= MOST_FRAMES
        and (end is None or entry.end <= end)
    )
