"""The header of an .edicv file: comes back, and is refused in a sentence."""

import zlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes
from law_rl.compression.video.header import DamagedVideo, StampedHeader, VideoHeader

HEADER = VideoHeader(width=352, height=288, gop=10, rate=Fraction(30000, 1001), quality=3, model=b"12345678")
CONTENT = StampedHeader(header=HEADER, stamp=7).encode()
BEFORE_NUMBERS, AFTER_NUMBERS = CONTENT[:14], b"\7\0\0\0"


def read(content: bytes, max_pixels: int = 64_000_000) -> StampedHeader:
    return StampedHeader.read(ByteReader(content, file="the video file", error=DamagedVideo), max_pixels)


def with_right_crc(content: bytes) -> bytes:
    return content + crc_bytes(zlib.crc32(content))


@given(
    width=st.integers(1, 8000),
    height=st.integers(1, 8000),
    gop=st.integers(1, 65535),
    rate=st.none() | st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=2000),
    quality=st.integers(0, 255),
    model=st.binary(min_size=8, max_size=8),
    stamp=st.integers(0, 2**32 - 1),
)
def test_a_header_comes_back(stamp: int, **fields: Any) -> None:
    header = StampedHeader(header=VideoHeader(**fields), stamp=stamp)
    assert read(header.encode() + b"more") == header
    assert len(header.encode()) <= 64


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "width is 0: give a number from 1"),
        ({"height": 2**31}, "height is 2147483648"),
        ({"gop": 0}, "gop is 0"),
        ({"gop": 65536}, "to 65535"),
        ({"quality": 256}, "quality is 256"),
        ({"rate": Fraction(0)}, "rate is 0"),
        ({"rate": Fraction(-25)}, "rate is -25"),
        ({"rate": Fraction(1, 2**31)}, "rate is 1/2147483648"),
        ({"model": b"1234567"}, "model is 7 bytes"),
    ],
)
def test_what_no_file_can_hold_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(HEADER, **change)


def test_each_truncation_and_each_flipped_bit_is_refused() -> None:
    for length in range(len(CONTENT)):
        with pytest.raises(DamagedVideo):
            read(CONTENT[:length])
    for place in range(8 * len(CONTENT)):
        changed = bytearray(CONTENT)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(DamagedVideo):
            read(bytes(changed))


@pytest.mark.parametrize("content", [b"", b"EDIC" + CONTENT[4:], b"\0\0\0\x1cftypisom" + b"\0" * 50])
def test_other_files_are_refused_by_name(content: bytes) -> None:
    with pytest.raises(DamagedVideo, match=r"no \.edicv video"):
        read(content)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (b"\0\1\1\0\1", "width is 0"),
        (b"\1\1\0\0\1", "gop is 0"),
        (b"\1\1\1\1\0", "cannot be"),
        (b"\1\1\1\x32\2", "damaged"),
        (b"\1\1\1\0\2", "damaged"),
        (b"\x81\0\1\1\0\1", "damaged"),
        (b"\xff\xff\xff\xff\xff\1\1\1\0\1", "no number"),
    ],
)
def test_headers_that_no_encoder_writes_are_refused(numbers: bytes, said: str) -> None:
    assert read(with_right_crc(BEFORE_NUMBERS + b"\1\1\1\0\1" + AFTER_NUMBERS)).header.rate is None
    with pytest.raises(DamagedVideo, match=said):
        read(with_right_crc(BEFORE_NUMBERS + numbers + AFTER_NUMBERS))


def test_a_newer_version_is_refused() -> None:
    with pytest.raises(DamagedVideo, match="version 2, this law-rl reads 1"):
        read(CONTENT[:4] + b"\2" + CONTENT[5:])


def test_the_limit_can_be_set() -> None:
    assert read(CONTENT, max_pixels=352 * 288).header == HEADER
    with pytest.raises(DamagedVideo, match="allowed are 101375 pixels a frame"):
        read(CONTENT, max_pixels=352 * 288 - 1)


def test_files_of_one_header_differ_by_their_stamps() -> None:
    assert StampedHeader(header=HEADER, stamp=8).seal != StampedHeader(header=HEADER, stamp=7).seal
