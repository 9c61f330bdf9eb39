"""Numbers and lengths in files: little-endian, varints of seven bits a byte, never more bytes than there are.

In a varint the lowest bits come first, and the highest bit is set in all bytes but the last.
"""

_MOST_VARINT_BYTES = 5


class ByteReader:
    """Bytes that are taken from the front; where these end too early, `error` with one sentence about the `file`."""

    def __init__(self, content: bytes, *, file: str, error: type[ValueError]) -> None:
        self._content, self._place = content, 0
        self._file, self._error = file, error

    @property
    def left(self) -> int:
        """The number of bytes that have not been taken."""
        return len(self._content) - self._place

    @property
    def taken(self) -> bytes:
        """All bytes that have been taken."""
        return self._content[: self._place]

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes, which belong to `what`."""
        if count > self.left:
            raise self._error(f"{self._file} ends within {what}: copy the file again")
        self._place += count
        return self._content[self._place - count : self._place]

    def varint(self, what: str) -> int:
        """The next number, below 2^35."""
        value = 0
        for place in range(_MOST_VARINT_BYTES):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return value
        raise self._error(f"{what} of {self._file} is no number: copy the file again")


def varint(value: int) -> bytes:
    """A number from 0 to 2^35 - 1."""
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*parts, value))


def crc_bytes(crc: int) -> bytes:
    """A CRC32 as four bytes."""
    return crc.to_bytes(4, "little")
