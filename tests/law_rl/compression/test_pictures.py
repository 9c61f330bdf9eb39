"""Picture files: what is read as which pixels, and what is refused."""

import contextlib
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from law_rl.compression.bitstream.metadata import Metadata
from law_rl.compression.pictures import LOSSLESS, read_picture, read_picture_metadata, write_picture
from law_rl.counters import numpy_generator

RGB = numpy_generator(0, "test pictures").integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[..., 0].copy()


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("ending", [ending for ending in LOSSLESS if ending != ".pgm"])
@pytest.mark.parametrize("pixels", [RGB, GREY])
def test_what_is_written_is_read(tmp_path: Path, ending: str, pixels: np.ndarray) -> None:
    path = tmp_path / "new" / f"x{ending}"
    write_picture(path, pixels)
    grey_as_rgb = ending == ".webp" and pixels.ndim == 2
    assert np.array_equal(read_picture(path), np.stack([pixels] * 3, -1) if grey_as_rgb else pixels)


def test_palettes_become_rgb_and_black_and_white_becomes_grey(tmp_path: Path) -> None:
    palette = Image.fromarray(RGB).quantize(8)
    found = read_picture(saved(tmp_path / "palette.png", palette))
    assert np.array_equal(found, np.array(palette.convert("RGB")))
    two = Image.fromarray(GREY).convert("1")
    assert np.array_equal(read_picture(saved(tmp_path / "two.png", two)), np.array(two.convert("L")))


@pytest.mark.parametrize("ending", ["png", "webp", "tiff"])
def test_pictures_are_turned_upright(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / f"x.{ending}", Image.fromarray(RGB), exif=exif, lossless=True)
    with Image.open(path) as image:
        turned = np.array(ImageOps.exif_transpose(image))
    assert turned.shape == (7, 5, 3)
    assert np.array_equal(read_picture(path), turned)


def camera_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"note" * 9
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("target", ["png", "webp"])
def test_metadata_are_kept_with_the_orientation_of_the_pixels(tmp_path: Path, ending: str, target: str) -> None:
    source = saved(tmp_path / f"x.{ending}", Image.fromarray(RGB), exif=camera_exif(6), icc_profile=PROFILE)
    metadata = read_picture_metadata(source)
    assert metadata is not None and metadata.icc_profile == PROFILE
    copy = tmp_path / f"y.{target}"
    write_picture(copy, read_picture(source), metadata)
    with Image.open(copy) as image:
        exif = image.getexif()
        assert image.size == (5, 7) and image.info["icc_profile"] == PROFILE
        assert (exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make]) == (1, "Maker")
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == b"note" * 9
        assert exif.get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}
    assert np.array_equal(read_picture(copy), read_picture(source))
    assert read_picture_metadata(copy) == metadata


@pytest.mark.parametrize("orientation", [None, 1])
def test_metadata_of_upright_pictures_keep_every_byte(tmp_path: Path, orientation: int | None) -> None:
    exif = (camera_exif(orientation) if orientation else Image.Exif()).tobytes() + b"what else there is"
    metadata = read_picture_metadata(saved(tmp_path / "x.png", Image.fromarray(GREY), exif=exif))
    assert metadata == Metadata(exif=exif.removeprefix(b"Exif\0\0"))


def test_formats_take_of_the_metadata_what_they_can(tmp_path: Path) -> None:
    profile = Metadata(icc_profile=PROFILE)
    metadata = Metadata(exif=camera_exif(1).tobytes()[6:], icc_profile=PROFILE)
    for ending, kept in (("png", metadata), ("webp", metadata), ("tiff", profile), ("bmp", None), ("ppm", None)):
        write_picture(tmp_path / f"x.{ending}", RGB, metadata)
        assert read_picture_metadata(tmp_path / f"x.{ending}") == kept
        write_picture(tmp_path / f"y.{ending}", RGB)
        assert read_picture_metadata(tmp_path / f"y.{ending}") is None


def test_broken_and_endless_metadata_are_refused_by_the_name_of_the_picture(tmp_path: Path) -> None:
    broken = saved(tmp_path / "broken.png", Image.fromarray(RGB), exif=b"no EXIF at all")
    with pytest.raises(ValueError, match=r"broken\.png cannot be read"):
        read_picture_metadata(broken)
    endless = saved(tmp_path / "endless.webp", Image.fromarray(RGB), exif=camera_exif(1).tobytes() + bytes(1 << 20))
    with pytest.raises(ValueError, match=r"endless\.webp: the metadata have 1,04"):
        read_picture_metadata(endless)
    assert read_picture(endless).shape == RGB.shape


@pytest.mark.filterwarnings("ignore:.*(Corrupt EXIF|Truncated)")
@pytest.mark.parametrize("length", range(4, 120, 7))
def test_cut_metadata_raise_no_more_than_is_said(tmp_path: Path, length: int) -> None:
    path = saved(tmp_path / "x.png", Image.fromarray(RGB), exif=camera_exif(6).tobytes()[:length])
    with contextlib.suppress(ValueError):
        read_picture_metadata(path)


def test_the_first_picture_of_a_camera_is_taken(tmp_path: Path) -> None:
    second = Image.fromarray(255 - RGB)
    path = saved(tmp_path / "x.jpg", Image.fromarray(RGB), format="MPO", save_all=True, append_images=[second])
    with Image.open(path) as image:
        assert image.format == "MPO"
        first = np.array(image.convert("RGB"))
    assert np.array_equal(read_picture(path), first)


def sixteen_bits_rgb(path: Path) -> Path:
    """A 16-bit RGB PPM and TIFF are read as 8-bit by Pillow without a word."""
    path.write_bytes(b"P6 7 5 65535\n" + np.repeat(RGB, 2).tobytes())
    return path


MOVING = {"save_all": True, "append_images": [Image.fromarray(255 - RGB)]}
REFUSED: list[tuple[str, Image.Image, dict[str, Any], str]] = [
    ("alpha.png", Image.fromarray(np.dstack([RGB, GREY])), {}, "has an alpha channel"),
    ("alpha.webp", Image.fromarray(np.dstack([RGB, GREY])), {"lossless": True}, "has an alpha channel"),
    ("grey_alpha.png", Image.fromarray(np.dstack([GREY, GREY])), {}, "has an alpha channel"),
    ("key.png", Image.fromarray(RGB), {"transparency": (1, 2, 3)}, "has an alpha channel"),
    ("key_palette.png", Image.fromarray(RGB).quantize(8), {"transparency": 1}, "has an alpha channel"),
    ("deep.png", Image.fromarray(GREY.astype(np.uint16) * 257), {}, "more than 8 bits a channel"),
    ("deep.tiff", Image.fromarray(GREY.astype(np.int32)), {}, "more than 8 bits a channel"),
    ("float.tiff", Image.fromarray(GREY.astype(np.float32)), {}, "more than 8 bits a channel"),
    ("print.jpg", Image.fromarray(RGB).convert("CMYK"), {}, "is in CMYK: convert it to RGB"),
    ("moving.webp", Image.fromarray(RGB), MOVING, "is an animation of 2 pictures"),
    ("other.gif", Image.fromarray(RGB), {}, "cannot be read as a picture"),
]


@pytest.mark.parametrize(("name", "image", "options", "words"), REFUSED)
def test_what_the_codec_would_not_keep_is_refused(
    tmp_path: Path, name: str, image: Image.Image, options: dict[str, Any], words: str
) -> None:
    path = saved(tmp_path / name, image, **options)
    with pytest.raises(ValueError, match=words) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)


def test_sixteen_bits_that_pillow_reads_as_eight_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than 8 bits a channel"):
        read_picture(sixteen_bits_rgb(tmp_path / "x.ppm"))
    png = tmp_path / "x.png"
    write_sixteen_bit_png(png)
    with Image.open(png) as image:
        assert image.mode == "RGB"
    with pytest.raises(ValueError, match="more than 8 bits a channel"):
        read_picture(png)


def write_sixteen_bit_png(path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + np.repeat(row, 2).tobytes() for row in RGB)
    header = struct.pack(">IIBBBBB", 7, 5, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.fromarray(RGB))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"x\.png cannot be read as a picture"):
        read_picture(path)
    with pytest.raises(FileNotFoundError, match=r"There is no picture at .*y\.png"):
        read_picture(tmp_path / "y.png")


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.edic"])
def test_endings_that_lose_pixels_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="would lose pixels again"):
        write_picture(tmp_path / name, RGB)
    assert not (tmp_path / name).exists()
