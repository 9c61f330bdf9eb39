"""Damaged .edicv files: what is returned is as it was written, no more is lost than was hit, and it is said what."""

import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes, varint
from law_rl.compression.video.container import Damage, DamagedVideo, VideoReader
from law_rl.compression.video.gop import GopEntry
from law_rl.compression.video.gop_search import END, encode_index, scan
from law_rl.compression.video.header import StampedHeader
from tests.law_rl.compression.video.videos import HEADER, Gop, file_of, gop, read_all

GOPS = [gop(0, 3), gop(1, 2), gop(2, 2), gop(3, 4), gop(4, 1)]
FIRSTS = [0, 3, 5, 7, 11]
WRITTEN = dict(zip(FIRSTS, GOPS, strict=True))
FILE = file_of(GOPS)
ENTRIES = VideoReader(FILE).gops
STAMPED = StampedHeader.read(ByteReader(FILE[:64], file="the file", error=ValueError), max_pixels=10**9)
PARTS = [FILE[entry.offset : entry.end] for entry in ENTRIES]
FRONT, BACK = FILE[: ENTRIES[0].offset], FILE[ENTRIES[-1].end :]


def lost_with(*gops: int) -> tuple[range, ...]:
    """The frames of GOPs that are no neighbours."""
    return tuple(ENTRIES[number].frames for number in gops)


def check(content: bytes) -> tuple[VideoReader, dict[int, Gop]]:
    """Reads all that there is: it is as it was written, and the damage told is all the rest."""
    reader = VideoReader(content)
    found = read_all(reader)
    assert all(WRITTEN[first] == frames for first, frames in found.items())
    kept = [range(first, first + len(frames)) for first, frames in found.items()]
    parts = sorted([*kept, *reader.damage().lost], key=lambda part: part.start)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts)][:-1]
    assert reader.frames == (parts[-1].stop if parts else 0)
    return reader, found


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def gop_with_byte(place: int) -> int | None:
    return next((number for number, entry in enumerate(ENTRIES) if entry.offset <= place < entry.end), None)


def test_each_flipped_bit_loses_its_gop_and_no_more() -> None:
    for bit in range(8 * len(FILE)):
        hit = gop_with_byte(bit // 8)
        reader, _ = check(flipped(FILE, bit))
        assert reader.header == HEADER
        in_index = bit // 8 >= ENTRIES[-1].end
        assert reader.damage() == Damage(lost=() if hit is None else lost_with(hit), cut_off=in_index)


def test_each_flipped_byte_without_an_index_loses_its_gop_and_no_more() -> None:
    content = FILE[: ENTRIES[-1].end]
    for place in range(len(FRONT), len(content)):
        changed = content[:place] + bytes((content[place] ^ 0xFF,)) + content[place + 1 :]
        reader, found = check(changed)
        hit = gop_with_byte(place)
        assert set(FIRSTS) - set(found) == {FIRSTS[hit or 0]}
        if hit != len(ENTRIES) - 1:
            assert reader.damage() == Damage(lost=lost_with(hit or 0), cut_off=True)


def test_each_truncation_gives_all_whole_gops_before_it() -> None:
    for length in range(len(FRONT)):
        with pytest.raises(DamagedVideo):
            VideoReader(FILE[:length])
    for length in range(len(FRONT), len(FILE)):
        reader, found = check(FILE[:length])
        assert list(found) == [first for first, entry in zip(FIRSTS, ENTRIES, strict=True) if entry.end <= length]
        assert reader.cut_off


def test_a_gop_that_is_cut_off_is_named_where_its_head_is_whole() -> None:
    assert VideoReader(FILE[: ENTRIES[3].end - 1]).damage() == Damage(lost=lost_with(3), cut_off=True)
    assert VideoReader(FILE[: ENTRIES[3].offset + 5]).damage() == Damage(lost=(), cut_off=True)


@pytest.mark.parametrize("count", [1, 2, 5, 17])
def test_each_loss_and_insertion_of_bytes_loses_the_gop_it_hits(count: int) -> None:
    """The index no longer fits, and the marks show where GOPs begin."""
    for place in range(len(FRONT), ENTRIES[-1].end - count):
        hit = {
            FIRSTS[number] for number in (gop_with_byte(place), gop_with_byte(place + count - 1)) if number is not None
        }
        assert set(FIRSTS) - set(check(FILE[:place] + FILE[place + count :])[1]) == hit
        _, found = check(FILE[:place] + b"\xa5" * count + FILE[place:])
        assert set(FIRSTS) - set(found) <= {FIRSTS[gop_with_byte(place) or 0]}


def test_a_file_without_its_front_is_read_by_its_index() -> None:
    reader, found = check(b"\0" * len(FRONT) + FILE[len(FRONT) :])
    assert found == WRITTEN and reader.header == HEADER and reader.damage() == Damage(lost=(), cut_off=False)


def test_what_follows_the_end_hides_nothing() -> None:
    reader, found = check(FILE + b"\0" * 100)
    assert found == WRITTEN and reader.damage() == Damage(lost=(), cut_off=True)


def test_swapped_gops_are_lost_and_named() -> None:
    assert len(PARTS[1]) == len(PARTS[2])
    _, found = check(b"".join((FRONT, PARTS[0], PARTS[2], PARTS[1], *PARTS[3:], BACK)))
    assert list(found) == [0, 7, 11]


@pytest.mark.parametrize(
    "order", [(0, 1, 1, 2, 3, 4), (0, 1, 2, 0, 3, 4), (0, 0, 0, 1, 2, 3, 4, 4), (0, 1, 2, 3, 4, 2)]
)
def test_gops_that_come_twice_are_read_once(order: tuple[int, ...]) -> None:
    reader, found = check(b"".join((FRONT, *(PARTS[number] for number in order), BACK)))
    assert found == WRITTEN and reader.damage() == Damage(lost=(), cut_off=True)


def test_missing_gops_are_named_even_without_the_index() -> None:
    for tail in (BACK, b""):
        reader, _ = check(b"".join((FRONT, PARTS[0], PARTS[2], PARTS[4], tail)))
        assert reader.damage() == Damage(lost=lost_with(1, 3), cut_off=True)


def test_gops_of_a_video_with_the_same_header_do_not_fit() -> None:
    other = file_of([gop(seed + 10, len(frames)) for seed, frames in enumerate(GOPS)])
    assert len(other) == len(FILE)
    start, end = ENTRIES[3].offset, ENTRIES[3].end
    _, found = check(FILE[:start] + other[start:end] + FILE[end:])
    assert list(found) == [0, 3, 5, 11]
    longer = file_of([gop(seed + 10, 4) for seed in range(9)])
    assert check(FILE + longer)[1] == check(FILE[: ENTRIES[-1].end] + longer)[1] == WRITTEN
    assert VideoReader(FILE[:-1] + longer).header == HEADER


def test_gops_of_a_video_with_another_header_do_not_fit() -> None:
    other = file_of(GOPS, replace(HEADER, quality=4))
    _, found = check(FILE[: ENTRIES[2].offset] + other[ENTRIES[2].offset : ENTRIES[2].end] + FILE[ENTRIES[2].end :])
    assert list(found) == [0, 3, 7, 11]


def with_index(entries: list[GopEntry]) -> bytes:
    return FILE[: ENTRIES[-1].end] + encode_index(STAMPED, entries)


def lying_indices() -> Iterator[list[GopEntry]]:
    """Indices under a right checksum that do not fit the file."""
    entries = list(ENTRIES)
    yield []
    yield entries[:-1]
    yield [*entries, entries[-1]]
    for number, change in (
        (0, {"length": 2**35 - 1}),
        (0, {"length": entries[0].length + 1}),
        (2, {"length": 0}),
        (2, {"count": 0}),
        (4, {"count": 11}),
        (4, {"count": 2**34}),
    ):
        yield [replace(entry, **change) if place == number else entry for place, entry in enumerate(entries)]


def test_an_index_that_lies_is_not_believed() -> None:
    assert with_index(list(ENTRIES)) == FILE
    for entries in lying_indices():
        reader, found = check(with_index(entries))
        assert found == WRITTEN and reader.cut_off


def test_an_index_that_swaps_lengths_loses_gops_and_mixes_none() -> None:
    entries = list(ENTRIES)
    entries[0], entries[1] = (
        replace(entries[0], length=entries[0].length + 1),
        replace(entries[1], length=entries[1].length - 1),
    )
    assert list(check(with_index(entries))[1]) == [5, 7, 11]


@pytest.mark.parametrize("length", [0, 1, 3, 2**63, 2**64 - 1])
def test_a_lying_length_of_the_index_is_not_believed(length: int) -> None:
    reader, found = check(FILE[:-11] + length.to_bytes(8, "little") + END)
    assert found == WRITTEN and reader.cut_off


@pytest.mark.parametrize(
    ("first", "count", "length"),
    [(0, 3, 2**35 - 1), (0, 11, 100), (0, 0, 100), (0, 3, 14), (2**31 - 1, 2, 100), (2**35 - 1, 1, 100)],
)
def test_a_head_that_lies_under_a_right_checksum_hides_no_other(first: int, count: int, length: int) -> None:
    head = GopEntry(first=first, count=count, offset=0, length=length).head(STAMPED.seal)
    _, found = check(b"".join((FRONT, head, *PARTS[1:])))
    assert list(found) == FIRSTS[1:]


def test_a_head_with_a_number_written_longer_is_no_head() -> None:
    plain = b"GOP\x80\0" + PARTS[0][4:6]
    longer = plain + crc_bytes(zlib.crc32(plain, STAMPED.seal)) + PARTS[0][10:]
    assert PARTS[0][:6] == b"GOP" + varint(0) + varint(3) + varint(ENTRIES[0].length)
    assert list(check(b"".join((FRONT, longer, *PARTS[1:])))[1]) == FIRSTS[1:]


class Counted(bytes):
    """Bytes that count how many of them are copied."""

    copied = 0

    def __getitem__(self, part: slice) -> bytes:  # type: ignore[override]
        found = super().__getitem__(part)
        self.copied += len(found)
        return found


def hostile_bodies() -> Iterator[bytes]:
    """What looks like many GOPs: marks alone, and heads that all claim the rest of the file."""
    yield b"GOP" * 20_000
    head = GopEntry(first=0, count=1, offset=0, length=60_000).head(STAMPED.seal)
    yield head * 3_000
    size, heads = 60_000, []
    for number in range(3_000):
        entry = GopEntry(first=number, count=1, offset=0, length=max(size - 20 * number, 5))
        heads.append(entry.head(STAMPED.seal).ljust(20, b"\0"))
    yield b"".join(heads)


def test_hostile_files_cost_no_more_than_their_length() -> None:
    for body in hostile_bodies():
        content = Counted(FRONT + body)
        gops, _ = scan(content, STAMPED)
        assert sum(entry.length for entry in gops) <= len(content)
        assert content.copied < 10 * len(content)
        assert VideoReader(content).damage().cut_off


def test_a_lying_index_takes_no_memory_beyond_the_files_length() -> None:
    content = FILE + encode_index(STAMPED, [replace(ENTRIES[-1], count=1, length=100)] * 100_000)
    tracemalloc.start()
    assert VideoReader(content).cut_off
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(content)


@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(FILE)), st.integers(0, 80), st.binary(max_size=60) | st.sampled_from(PARTS)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=400, deadline=None)
def test_bytes_replaced_anywhere_never_change_what_is_read(changes: list[tuple[int, int, bytes]]) -> None:
    content = FILE
    for place, gone, new in changes:
        content = content[:place] + new + content[place + gone :]
    try:
        check(content)
    except DamagedVideo as error:
        assert "\n" not in str(error) and str(error)


def test_a_damaged_gop_of_a_long_video_is_lost_alone() -> None:
    gops = [gop(number, 10) for number in range(200)]
    content = file_of(gops)
    entry = VideoReader(content).gops[123]
    reader = VideoReader(flipped(content, 8 * (entry.offset + 40)))
    assert reader.damage() == Damage(lost=(range(1230, 1240),), cut_off=False)
    with pytest.raises(DamagedVideo, match="GOP 123 of the video file, frames 1230 to 1239, is lost"):
        reader.read_gop(reader.gop_of(1234))
