"""The .edic file: a header, the chunks of z and of y, metadata, an end mark; everything in it under a checksum.

    header   "EDIC", version, flags, quality (a byte each), model (8 bytes), height, width (varints), CRC32
    chunk    length (varint), the bytes, CRC32 of the bytes, CRC32 of the bytes and the symbols that they stand for
    metadata where the flags say so: length (varint) and bytes of the EXIF, then of the colour profile; CRC32 of both
    end      "END"

CRC32s of chunks and metadata go on from the header's, so that they fit no other header. Numbers are little-endian; a
varint has seven bits a byte, the lowest first, and the highest bit set in all bytes but the last.
"""

import zlib
from dataclasses import dataclass
from typing import Self

from law_rl.compression.bitstream.byte_reader import ByteReader, crc_bytes, varint
from law_rl.compression.bitstream.metadata import MOST_BYTES, Metadata
from law_rl.compression.bitstream.range_coder import Symbols

MAGIC, VERSION, END = b"EDIC", 1, b"END"
MAX_PIXELS = 64_000_000
MODEL_BYTES = 8

_GREY, _METADATA = 1, 2
_BEFORE_SIZES = len(MAGIC) + 3 + MODEL_BYTES


class DamagedImage(ValueError):
    """The bytes are no whole, unchanged .edic file that this law-rl and this model can decode."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says about itself. `model` is the hash of the model that wrote it; `grey`: one channel, not RGB;
    `metadata`: there are some.
    """

    height: int
    width: int
    grey: bool
    quality: int
    model: bytes
    metadata: bool = False

    def encode(self) -> bytes:
        """The header's bytes without their CRC32."""
        flags = _GREY * self.grey | _METADATA * self.metadata
        fixed = MAGIC + bytes((VERSION, flags, self.quality)) + self.model
        return fixed + varint(self.height) + varint(self.width)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Compressed bytes, and the CRC32 that goes on from theirs over the symbols that they stand for."""

    content: bytes
    symbols_crc: int

    @classmethod
    def of(cls, header: Header, content: bytes, symbols: Symbols) -> Self:
        """The chunk of these bytes and symbols in a file with this header."""
        return cls(content=content, symbols_crc=_symbols_crc(header, content, symbols))

    def check_symbols(self, header: Header, symbols: Symbols) -> None:
        """Raises DamagedImage where these are not the symbols that were encoded."""
        if _symbols_crc(header, self.content, symbols) != self.symbols_crc:
            raise DamagedImage(
                "the image's latents are not those that were encoded: the file is damaged or was written by another "
                "arithmetic, so encode the image again"
            )


@dataclass(frozen=True, kw_only=True)
class Container:
    """A file's parts. Their checksums hold, but for those of the symbols, which only decoding can check."""

    header: Header
    hyper_latents: Chunk
    latents: Chunk
    metadata: Metadata | None = None

    def encode(self) -> bytes:
        """The file's bytes."""
        header = self.header.encode()
        crc = zlib.crc32(header)
        parts = [_chunk_bytes(chunk, crc) for chunk in (self.hyper_latents, self.latents)]
        if self.metadata is not None:
            parts.append(_metadata_bytes(self.metadata, crc))
        return b"".join((header, crc_bytes(crc), *parts, END))

    @classmethod
    def decode(cls, content: bytes, *, max_pixels: int = MAX_PIXELS) -> Self:
        """The parts of a file's bytes; DamagedImage, one sentence, for all that `encode` has not written, and for an
        image of more than `max_pixels`.
        """
        reader = _reader(content)
        header = _read_header(reader, max_pixels)
        crc = zlib.crc32(header.encode())
        chunks = [_read_chunk(reader, crc, name) for name in ("first", "second")]
        metadata = _read_metadata(reader, crc) if header.metadata else None
        if reader.take(len(END), "the end mark") != END or reader.left:
            raise DamagedImage("the image file does not end at its end mark: copy the file again")
        return cls(header=header, hyper_latents=chunks[0], latents=chunks[1], metadata=metadata)


def read_metadata(content: bytes, *, max_pixels: int = MAX_PIXELS) -> Metadata | None:
    """What a file keeps beside the pixels, without decoding them; DamagedImage as `Container.decode` has it."""
    return Container.decode(content, max_pixels=max_pixels).metadata


def read_header(content: bytes, *, max_pixels: int = MAX_PIXELS) -> Header:
    """The header alone, from the first bytes of a file (64 suffice); DamagedImage as `Container.decode` has it."""
    return _read_header(_reader(content), max_pixels)


def _reader(content: bytes) -> ByteReader:
    return ByteReader(content, file="the image file", error=DamagedImage)


def _read_header(reader: ByteReader, max_pixels: int) -> Header:
    fixed = reader.take(min(_BEFORE_SIZES, reader.left), "its header")
    if not fixed.startswith(MAGIC):
        raise DamagedImage("this is no .edic image: give a file that `law-rl codec encode` wrote")
    if len(fixed) < _BEFORE_SIZES:
        raise DamagedImage("the image file ends within its header: copy the file again")
    version, flags, quality = fixed[len(MAGIC) : len(MAGIC) + 3]
    if version != VERSION:
        raise DamagedImage(f"the image file has version {version}, this law-rl reads {VERSION}: upgrade law-rl")
    height, width = reader.varint("the height"), reader.varint("the width")
    header = Header(
        height=height,
        width=width,
        grey=bool(flags & _GREY),
        quality=quality,
        model=fixed[-MODEL_BYTES:],
        metadata=bool(flags & _METADATA),
    )
    taken = reader.taken
    if reader.take(4, "its header") != crc_bytes(zlib.crc32(taken)) or taken != header.encode():
        raise DamagedImage("the header of the image file is damaged: copy the file again")
    if min(height, width) < 1 or height * width > max_pixels:
        raise DamagedImage(
            f"the image is {width} x {height}, allowed are 1 to {max_pixels} pixels: raise the limit if you trust it"
        )
    return header


def _read_chunk(reader: ByteReader, crc: int, name: str) -> Chunk:
    what = f"its {name} chunk"
    content = reader.take(reader.varint(what), what)
    if reader.take(4, what) != crc_bytes(zlib.crc32(content, crc)):
        raise DamagedImage(f"the {name} chunk of the image file is damaged: copy the file again")
    return Chunk(content=content, symbols_crc=int.from_bytes(reader.take(4, what), "little"))


def _read_metadata(reader: ByteReader, crc: int) -> Metadata:
    what = "its metadata"
    exif, icc_profile = (reader.take(reader.varint(what), what) for _ in range(2))
    if not 0 < len(exif) + len(icc_profile) <= MOST_BYTES:
        raise DamagedImage(f"the metadata of the image file have not 1 to {MOST_BYTES:,} bytes: encode the image again")
    metadata = Metadata(exif=exif, icc_profile=icc_profile)
    if reader.take(4, what) != _metadata_bytes(metadata, crc)[-4:]:
        raise DamagedImage("the metadata of the image file are damaged: copy the file again")
    return metadata


def _metadata_bytes(metadata: Metadata, crc: int) -> bytes:
    content = b"".join(varint(len(part)) + part for part in (metadata.exif, metadata.icc_profile))
    return content + crc_bytes(zlib.crc32(content, crc))


def _symbols_crc(header: Header, content: bytes, symbols: Symbols) -> int:
    return zlib.crc32(symbols.astype("<i4", copy=False).tobytes(), zlib.crc32(content, zlib.crc32(header.encode())))


def _chunk_bytes(chunk: Chunk, crc: int) -> bytes:
    checks = crc_bytes(zlib.crc32(chunk.content, crc)) + crc_bytes(chunk.symbols_crc)
    return varint(len(chunk.content)) + chunk.content + checks
