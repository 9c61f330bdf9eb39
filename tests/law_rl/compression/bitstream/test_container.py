"""The .edic file: written and read back, and refused after any change."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.compression.bitstream.container import (
    END,
    Chunk,
    Container,
    DamagedImage,
    Header,
    read_header,
    read_metadata,
)
from law_rl.compression.bitstream.metadata import MOST_BYTES, Metadata

HEADER = Header(height=300, width=7, grey=False, quality=3, model=b"12345678")
FILE = Container(
    header=HEADER,
    hyper_latents=Chunk(content=b"abcd", symbols_crc=1),
    latents=Chunk(content=bytes(range(200)), symbols_crc=2**32 - 1),
)
WITH_METADATA = replace(
    FILE, header=replace(HEADER, metadata=True), metadata=Metadata(exif=b"exif" * 50, icc_profile=b"profile")
)


@given(
    height=st.integers(1, 8000),
    width=st.integers(1, 8000),
    grey=st.booleans(),
    quality=st.integers(0, 255),
    contents=st.tuples(st.binary(max_size=300), st.binary(max_size=300)),
    metadata=st.none() | st.builds(Metadata, exif=st.binary(min_size=1), icc_profile=st.binary(max_size=300)),
    crc=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_a_file_comes_back(
    height: int,
    width: int,
    grey: bool,
    quality: int,
    contents: tuple[bytes, bytes],
    metadata: Metadata | None,
    crc: int,
) -> None:
    header = Header(
        height=height, width=width, grey=grey, quality=quality, model=b"\xffodelhas", metadata=metadata is not None
    )
    chunks = [Chunk(content=content, symbols_crc=crc) for content in contents]
    file = Container(header=header, hyper_latents=chunks[0], latents=chunks[1], metadata=metadata)
    assert Container.decode(file.encode()) == file
    assert read_header(file.encode()[:64]) == header


def test_a_file_is_little_more_than_its_chunks() -> None:
    assert len(FILE.encode()) - 204 <= 50


@pytest.mark.parametrize("file", [FILE, WITH_METADATA])
def test_every_truncation_is_refused(file: Container) -> None:
    content = file.encode()
    for length in range(len(content)):
        with pytest.raises(DamagedImage):
            Container.decode(content[:length])


@pytest.mark.parametrize("file", [FILE, WITH_METADATA])
def test_every_flipped_bit_is_refused_or_seen_by_decoding(file: Container) -> None:
    content = file.encode()
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        try:
            found = Container.decode(bytes(changed))
        except DamagedImage as error:
            assert "\n" not in str(error) and str(error)
            continue
        assert (found.header, found.metadata) == (
            file.header,
            file.metadata,
        )  # what is left are the checksums of symbols
        assert (found.hyper_latents.content, found.latents.content) == (b"abcd", bytes(range(200)))
        assert found != file


def test_what_follows_the_end_is_refused() -> None:
    with pytest.raises(DamagedImage, match="end mark"):
        Container.decode(FILE.encode() + b"\0")


def with_right_crc(header: bytes) -> bytes:
    return header + zlib.crc32(header).to_bytes(4, "little") + FILE.encode()[len(HEADER.encode()) + 4 :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"height": 10**9}, "64000000 pixels"),
        ({"width": 64_000_000}, "64000000 pixels"),
        ({"height": 0}, "allowed are 1"),
        ({"height": 299}, "first chunk"),
        ({"grey": True}, "first chunk"),
        ({"quality": 4}, "first chunk"),
        ({"model": b"23456789"}, "first chunk"),
        ({"metadata": True}, "first chunk"),
    ],
)
def test_a_lying_header_with_a_right_checksum_is_refused(change: dict[str, object], said: str) -> None:
    header = replace(HEADER, **change)  # type: ignore[arg-type]
    with pytest.raises(DamagedImage, match=said):
        Container.decode(with_right_crc(header.encode()))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (HEADER.encode()[:4] + b"\2" + HEADER.encode()[5:], "version 2"),
        (HEADER.encode()[:5] + b"\4" + HEADER.encode()[6:], "damaged"),
        (HEADER.encode()[:5] + b"\x80" + HEADER.encode()[6:], "damaged"),
        (HEADER.encode()[:15] + b"\xff" * 9, "no number"),
        (HEADER.encode()[:15] + b"\x81\0\7", "damaged"),
    ],
)
def test_headers_that_no_encoder_writes_are_refused(raw: bytes, said: str) -> None:
    with pytest.raises(DamagedImage, match=said):
        Container.decode(with_right_crc(raw))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" + b"\0" * 50])
def test_other_files_are_refused_by_name(content: bytes) -> None:
    with pytest.raises(DamagedImage, match=r"no \.edic image"):
        Container.decode(content)


def test_the_limit_can_be_set() -> None:
    assert Container.decode(FILE.encode(), max_pixels=2100) == FILE
    with pytest.raises(DamagedImage, match="2099 pixels"):
        Container.decode(FILE.encode(), max_pixels=2099)


def test_a_chunk_length_beyond_the_file_makes_nothing_of_its_size() -> None:
    start = HEADER.encode() + zlib.crc32(HEADER.encode()).to_bytes(4, "little")
    with pytest.raises(DamagedImage, match="ends within its first chunk"):
        Container.decode(start + b"\xff\xff\xff\xff\x7f" + b"abc")


def test_the_checksum_of_symbols_is_of_one_header_and_of_its_bytes() -> None:
    symbols = np.arange(12, dtype=np.int32).reshape(3, 4)
    chunk = Chunk.of(HEADER, b"abcd", symbols)
    chunk.check_symbols(HEADER, symbols.reshape(-1))
    for header, content, others in (
        (replace(HEADER, width=8), b"abcd", symbols),
        (HEADER, b"abcde", symbols),
        (HEADER, b"abcd", symbols + 1),
    ):
        with pytest.raises(DamagedImage, match="not those that were encoded"):
            replace(chunk, content=content).check_symbols(header, others)


def test_metadata_are_read_without_the_pixels() -> None:
    assert read_metadata(FILE.encode()) is None
    assert read_metadata(WITH_METADATA.encode()) == WITH_METADATA.metadata


def test_metadata_cost_little_more_than_their_bytes() -> None:
    assert (FILE.encode()[5], WITH_METADATA.encode()[5]) == (0, 2)
    assert len(WITH_METADATA.encode()) == len(FILE.encode()) + 2 + 200 + 1 + 7 + 4


def with_metadata_bytes(content: bytes) -> bytes:
    """A file whose metadata are these bytes under a right checksum."""
    header = WITH_METADATA.header
    checksum = zlib.crc32(content, zlib.crc32(header.encode())).to_bytes(4, "little")
    return replace(FILE, header=header).encode().removesuffix(END) + content + checksum + END


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0", "have not 1 to 1,048,576 bytes"),
        (b"\x81\x80\x40" + bytes(MOST_BYTES + 1) + b"\0", "have not 1 to 1,048,576 bytes"),
        (b"\x80\x80\x40" + bytes(MOST_BYTES) + b"\1a", "have not 1 to 1,048,576 bytes"),
        (b"\xff\xff\xff\xff\x7f" + b"abc", "ends within its metadata"),
        (b"\x81\0a\0", "are damaged"),
    ],
)
def test_metadata_that_no_encoder_writes_are_refused(content: bytes, said: str) -> None:
    assert Container.decode(with_metadata_bytes(b"\1a\0")).metadata == Metadata(exif=b"a")
    with pytest.raises(DamagedImage, match=said):
        Container.decode(with_metadata_bytes(content))


def test_a_header_that_lies_about_metadata_is_refused() -> None:
    with pytest.raises(DamagedImage, match="its metadata"):
        Container.decode(replace(WITH_METADATA, metadata=None).encode())
    with pytest.raises(DamagedImage, match="end mark"):
        Container.decode(replace(WITH_METADATA, header=HEADER).encode())
