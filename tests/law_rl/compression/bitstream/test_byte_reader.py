"""Numbers out of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes, varint


class WrongFileError(ValueError):
    pass


def reader(content: bytes) -> ByteReader:
    return ByteReader(content, file="the file", error=WrongFileError)


@given(values=st.lists(st.integers(0, 2**35 - 1)))
def test_numbers_come_back(values: list[int]) -> None:
    content = reader(b"".join(varint(value) for value in values))
    assert [content.varint("a number") for _ in values] == values
    assert content.left == 0


def test_numbers_have_seven_bits_a_byte() -> None:
    assert (varint(127), varint(128), varint(300)) == (b"\x7f", b"\x80\1", b"\xac\2")
    assert crc_bytes(0x01020304) == b"\4\3\2\1"


def test_bytes_are_taken_from_the_front() -> None:
    content = reader(b"abcde")
    assert content.take(2, "a part") + content.take(1, "a part") == content.taken == b"abc"
    assert content.left == 2


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 4])
def test_a_number_that_ends_too_early_is_refused(content: bytes) -> None:
    with pytest.raises(WrongFileError, match="the file ends within its size"):
        reader(content).varint("its size")


def test_a_number_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(WrongFileError, match="its size of the file is no number"):
        reader(b"\xff" * 5 + b"\1").varint("its size")


def test_more_bytes_than_there_are_are_refused_and_none_is_taken() -> None:
    content = reader(b"abc")
    with pytest.raises(WrongFileError, match="the file ends within its end"):
        content.take(4, "its end")
    assert content.take(3, "its end") == b"abc"
