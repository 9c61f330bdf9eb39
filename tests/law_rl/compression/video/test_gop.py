"""A GOP's bytes: as written, or refused."""

from dataclasses import replace

import numpy as np
import pytest

from law_rl.compression.bitstream.byte_reader import crc_bytes, varint
from law_rl.compression.video.gop import (
    MOST_HEAD_BYTES,
    CodedFrame,
    GopEntry,
    crc_of_pixels,
    decode_gop,
    encode_payload,
)
from law_rl.compression.video.header import DamagedVideo

INTRA = CodedFrame(content=b"x" * 300, pixels_crc=2**32 - 1)
FRAMES = [INTRA, CodedFrame(content=b"", pixels_crc=5), CodedFrame(content=b"predicted", pixels_crc=6)]
PAYLOAD = encode_payload(FRAMES)
ENTRY = GopEntry(first=20, count=3, offset=100, length=len(PAYLOAD))
SEAL = 99


def gop_bytes(entry: GopEntry, payload: bytes, seal: int = SEAL) -> bytes:
    return entry.head(seal) + payload + crc_bytes(entry.payload_crc(payload, seal))


def test_a_gop_comes_back() -> None:
    content = gop_bytes(ENTRY, PAYLOAD)
    assert decode_gop(content, ENTRY, SEAL) == FRAMES
    assert ENTRY.end == 100 + len(content)
    assert ENTRY.frames == range(20, 23)


@pytest.mark.parametrize(
    "change", [{"first": 21}, {"first": 300}, {"count": 2}, {"length": ENTRY.length - 1}, {"length": 0}]
)
def test_a_gop_of_another_place_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(DamagedVideo, match="are damaged"):
        decode_gop(gop_bytes(ENTRY, PAYLOAD), replace(ENTRY, **change), SEAL)


def test_a_gop_of_another_file_is_refused() -> None:
    with pytest.raises(DamagedVideo, match="are damaged"):
        decode_gop(gop_bytes(ENTRY, PAYLOAD, seal=98), ENTRY, SEAL)


def test_a_payload_of_another_gop_is_refused() -> None:
    other = replace(ENTRY, first=30)
    mixed = ENTRY.head(SEAL) + gop_bytes(other, PAYLOAD)[len(other.head(SEAL)) :]
    with pytest.raises(DamagedVideo, match="are damaged"):
        decode_gop(mixed, ENTRY, SEAL)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (PAYLOAD + b"\0", "goes on after its frames"),
        (PAYLOAD[:-1], "ends within a frame"),
        (varint(2**35 - 1) + PAYLOAD, "ends within a frame"),
        (b"\xff" * 5 + PAYLOAD, "is no number"),
    ],
)
def test_payloads_that_no_encoder_writes_are_refused(payload: bytes, said: str) -> None:
    entry = replace(ENTRY, length=len(payload))
    with pytest.raises(DamagedVideo, match=said):
        decode_gop(gop_bytes(entry, payload), entry, SEAL)


@pytest.mark.parametrize(("size", "overhead"), [(0, 5), (127, 5), (128, 6), (2**14 - 1, 6), (2**14, 7), (2**21, 8)])
def test_what_a_frame_costs_beside_its_content(size: int, overhead: int) -> None:
    assert len(encode_payload([replace(INTRA, content=bytes(size))])) == size + overhead


def test_a_gop_is_possible_where_its_frames_have_room() -> None:
    least = len(encode_payload([CodedFrame(content=b"", pixels_crc=0)] * 5))
    assert GopEntry(first=0, count=5, offset=0, length=least).possible
    assert not GopEntry(first=0, count=5, offset=0, length=least - 1).possible
    assert not GopEntry(first=0, count=0, offset=0, length=100).possible


def test_heads_are_short() -> None:
    assert len(GopEntry(first=2**31, count=65535, offset=0, length=2**35 - 1).head(SEAL)) <= MOST_HEAD_BYTES


def test_the_checksum_of_pixels_is_of_their_values_not_of_their_layout() -> None:
    planes = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    pixels = planes.transpose(1, 2, 0)
    assert crc_of_pixels(pixels) == crc_of_pixels(pixels.copy()) != crc_of_pixels(pixels ^ np.uint8(1))
