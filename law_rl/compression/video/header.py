"""What a video's file says about itself, and the stamp that ties all its parts to it."""

import zlib
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Self

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes, varint
from law_rl.compression.bitstream.container import MODEL_BYTES

MAGIC, VERSION = b"EDIV", 1
MOST_FRAMES_A_GOP = (1 << 16) - 1

_BEFORE_SIZES = len(MAGIC) + 2 + MODEL_BYTES
_LARGEST = (1 << 31) - 1
_RANGES = {"width": (1, _LARGEST), "height": (1, _LARGEST), "gop": (1, MOST_FRAMES_A_GOP), "quality": (0, 255)}


class DamagedVideo(ValueError):
    """The bytes are no whole, unchanged part of an .edicv file that this law-rl and this model can decode."""


@dataclass(frozen=True, kw_only=True)
class VideoHeader:
    """Sizes in pixels; `gop`: frames of a GOP at most; `rate`: frames a second, None where unknown; `model`: the hash
    of the model that wrote the file. Raises ValueError for what no file can hold.
    """

    width: int
    height: int
    gop: int
    rate: Fraction | None
    quality: int
    model: bytes

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}: give a number from {least} to {most}")
        if self.rate is not None and not (self.rate > 0 and max(self.rate.as_integer_ratio()) <= _LARGEST):
            raise ValueError(f"rate is {self.rate}: give a fraction above 0 of numbers up to {_LARGEST}, or None")
        if len(self.model) != MODEL_BYTES:
            raise ValueError(f"model is {len(self.model)} bytes: give the {MODEL_BYTES} of a model's hash")


@dataclass(frozen=True, kw_only=True)
class StampedHeader:
    """A header with the CRC32 of its video's first GOP, by which files of one header differ."""

    header: VideoHeader
    stamp: int

    @cached_property
    def seal(self) -> int:
        """The CRC32 that all other CRC32s of the file go on from."""
        return zlib.crc32(self._plain)

    def encode(self) -> bytes:
        """The header's bytes with their CRC32."""
        return self._plain + crc_bytes(self.seal)

    @classmethod
    def read(cls, reader: ByteReader, max_pixels: int) -> Self:
        """The header that a reader's bytes begin with; DamagedVideo for all else, and for more than `max_pixels`."""
        fixed = reader.take(min(_BEFORE_SIZES, reader.left), "its header")
        if not fixed.startswith(MAGIC):
            raise DamagedVideo("this is no .edicv video: give a file that `law-rl codec encode-video` wrote")
        if len(fixed) < _BEFORE_SIZES:
            raise DamagedVideo("the video file ends within its header: copy the file again")
        version, quality = fixed[len(MAGIC) : len(MAGIC) + 2]
        if version != VERSION:
            raise DamagedVideo(f"the video file has version {version}, this law-rl reads {VERSION}: upgrade law-rl")
        numbers = [reader.varint("the header") for _ in range(5)]
        stamp = int.from_bytes(reader.take(4, "its header"), "little")
        taken = reader.taken
        if reader.take(4, "its header") != crc_bytes(zlib.crc32(taken)):
            raise DamagedVideo("the header of the video file is damaged: copy the file again")
        try:
            found = cls(header=_header(quality, fixed[-MODEL_BYTES:], numbers), stamp=stamp)
        except (ValueError, ZeroDivisionError) as error:
            raise DamagedVideo(f"the header of the video file cannot be ({error}): encode the video again") from error
        if found._plain != taken:
            raise DamagedVideo("the header of the video file is damaged: copy the file again")
        found._check_size(max_pixels)
        return found

    @cached_property
    def _plain(self) -> bytes:
        header = self.header
        rate = (0, 1) if header.rate is None else header.rate.as_integer_ratio()
        numbers = b"".join(varint(number) for number in (header.width, header.height, header.gop, *rate))
        return MAGIC + bytes((VERSION, header.quality)) + header.model + numbers + crc_bytes(self.stamp)

    def _check_size(self, max_pixels: int) -> None:
        width, height = self.header.width, self.header.height
        if width * height > max_pixels:
            raise DamagedVideo(
                f"the video is {width} x {height}, allowed are {max_pixels} pixels a frame: raise the limit if you "
                "trust it"
            )


def _header(quality: int, model: bytes, numbers: list[int]) -> VideoHeader:
    width, height, gop, numerator, denominator = numbers
    rate = Fraction(numerator, denominator) or None
    return VideoHeader(width=width, height=height, gop=gop, rate=rate, quality=quality, model=model)
