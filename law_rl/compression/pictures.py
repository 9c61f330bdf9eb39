"""Picture files as the codec takes them: 8 bits a channel, RGB or grey, upright."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from law_rl.compression.bitstream.metadata import Metadata
from law_rl.files import write_atomic

Pixels = NDArray[np.uint8]
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF")
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff"})
LOSSLESS = {
    ".png": "PNG",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""Endings of files that can keep every pixel, with Pillow's name of the format."""
TAKES_EXIF, TAKES_PROFILE = ("PNG", "WEBP"), ("PNG", "WEBP", "TIFF")
AS_RGB, GREY = ("RGB", "YCbCr", "P"), ("L", "1")


def read_picture(path: Path) -> Pixels:
    """The pixels of a file, uint8 [H, W, 3] or grey [H, W], turned as its EXIF orientation says; palettes become RGB.

    Of a camera's file with several pictures, the first. Raises FileNotFoundError, and ValueError for a damaged file,
    another format, an alpha channel, more than 8 bits a channel, CMYK, and animations.
    """
    with _opened(path) as image:
        return np.array(ImageOps.exif_transpose(image).convert("L" if image.mode in GREY else "RGB"))


def read_picture_metadata(path: Path) -> Metadata | None:
    """EXIF and colour profile of a file, None where it has neither; an orientation is set to upright, which the pixels
    of `read_picture` are. TIFFs have no EXIF apart from their own entries, which are not taken.

    Raises as `read_picture` does, and ValueError for more than 1 MiB.
    """
    with _opened(path) as image:
        exif, profile = _upright_exif(image), image.info.get("icc_profile") or b""
    try:
        return Metadata(exif=exif, icc_profile=profile) if exif or profile else None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture, not decoded yet; refused as `read_picture` says."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if refusal := _refusal(image):
                raise ValueError(f"{path} {refusal}")
            yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no picture at {path}: check its name") from None
    except (OSError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture ({error}): give one of {', '.join(FORMATS)}") from error


def _upright_exif(image: Image.Image) -> bytes:
    """The EXIF as in the file, written anew only where its orientation has to change."""
    exif: bytes = image.info.get("exif") or b""
    entries = image.getexif()
    if exif and entries.get(ExifTags.Base.Orientation, 1) != 1:
        entries[ExifTags.Base.Orientation] = 1
        exif = entries.tobytes()
    return exif.removeprefix(b"Exif\0\0")


def _refusal(image: Image.Image) -> str:
    """What is wrong with the picture and what to do about it; nothing where the codec can take it."""
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        return "has an alpha channel, which the codec does not keep: flatten it onto a background first"
    if _bits(image) > 8:
        return "has more than 8 bits a channel, which the codec does not keep: convert it to 8 bits first"
    if image.mode not in (*AS_RGB, *GREY):
        return f"is in {image.mode}: convert it to RGB or grey first"
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        return f"is an animation of {image.n_frames} pictures: save the one that you mean"  # type: ignore[attr-defined]
    return ""


def _bits(image: Image.Image) -> int:
    """Bits a channel in the file: Pillow reads 16-bit RGB as if it were 8-bit, and says so in the decoder's arguments
    alone.
    """
    if image.mode.startswith(("I", "F")):
        return 16
    arguments = [part for tile in getattr(image, "tile", ()) for part in np.ravel(np.array(tile[3], dtype=object))]
    wide = any(isinstance(part, str) and ";16" in part for part in arguments)
    deep = image.format == "PPM" and any(isinstance(part, int) and part > 255 for part in arguments)
    return 16 if wide or deep else 8


def write_picture(path: Path, pixels: Pixels, metadata: Metadata | None = None) -> None:
    """Writes pixels uint8 [H, W, 3] or [H, W] without loss, grey as RGB in WebP, and of the metadata what the format
    takes: PNG and WebP all, TIFF the colour profile, others nothing.

    Raises ValueError for an ending whose format would lose pixels.
    """
    content, format = io.BytesIO(), lossless_format(path)
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
    if metadata is not None and metadata.exif and format in TAKES_EXIF:
        options["exif"] = metadata.exif
    if metadata is not None and metadata.icc_profile and format in TAKES_PROFILE:
        options["icc_profile"] = metadata.icc_profile
    Image.fromarray(pixels).save(content, format=format, **options)
    write_atomic(path, content.getvalue())


def lossless_format(path: Path) -> str:
    """Pillow's name of the format of this ending; ValueError where it is none that keeps every pixel."""
    if path.suffix.lower() not in LOSSLESS:
        raise ValueError(f"{path} would lose pixels again, or is no picture: end its name in {', '.join(LOSSLESS)}")
    return LOSSLESS[path.suffix.lower()]
