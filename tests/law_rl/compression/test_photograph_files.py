"""Photographs are read from folders in order, and held-out ones never train."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from law_rl.compression.photograph_files import (
    FOREIGN,
    SAMPLES,
    TERMS,
    bsds_folder,
    read_photographs,
    sample_photographs,
)


def write(folder: Path, count: int, size: tuple[int, int] = (20, 10)) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number:03}.png")
    return folder


def reds(images: tuple[np.ndarray, ...]) -> list[int]:
    return [int(image[0, 0, 0]) for image in images]


def test_every_twentieth_photograph_is_held_out(tmp_path: Path) -> None:
    files = read_photographs([write(tmp_path / "mine", 41)])
    assert reds(files.validation) == [19, 39]
    assert reds(files.train) == [number for number in range(41) if number not in (19, 39)]
    assert (files.name, files.terms) == ("mine", FOREIGN)
    assert files.train[0].shape == (10, 20, 3)


def test_of_a_few_photographs_the_last_is_held_out(tmp_path: Path) -> None:
    files = read_photographs([write(tmp_path / "a", 2), write(tmp_path / "b", 1)])
    assert len(files.train) == 2 and len(files.validation) == 1
    assert (files.name, files.terms) == ("a and b", FOREIGN)


def test_large_photographs_are_scaled_down(tmp_path: Path) -> None:
    files = read_photographs([write(tmp_path / "mine", 2, (400, 100))], most_short_side=50)
    assert files.train[0].shape == (50, 200, 3)


def test_a_photograph_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", 2)
    image = Image.open(folder / "000.png")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / "000.png", exif=exif)
    assert read_photographs([folder]).train[0].shape == (20, 10, 3)


def test_the_name_of_bsds_is_known_with_its_terms(tmp_path: Path) -> None:
    files = read_photographs([write(tmp_path / "data" / "bsds" / "train", 2)])
    assert (files.name, files.terms) == ("bsds/train", TERMS["bsds/train"])
    assert bsds_folder(str(tmp_path / "data")) == tmp_path / "data" / "bsds" / "train"


def test_the_hash_tells_pixels_and_parts_apart(tmp_path: Path) -> None:
    hashes = {read_photographs([write(tmp_path / str(count), count)]).content_hash() for count in (3, 4)}
    assert len(hashes) == 2
    assert read_photographs([tmp_path / "3"]).content_hash() in hashes


def test_the_sample_photographs_are_there() -> None:
    files = sample_photographs()
    assert [image.shape for image in (*files.train, *files.validation)] == [(427, 640, 3)] * 2
    assert (files.name, files.terms) == (SAMPLES, TERMS[SAMPLES])


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist: give a folder of pictures\."):
        read_photographs([tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match=r"No folder bsds/train in .*: set LAW_RL_DATA"):
        bsds_folder(str(tmp_path))
    with pytest.raises(ValueError, match=r"one holds 1 pictures: give two at least"):
        read_photographs([write(tmp_path / "one", 1)])
    (write(tmp_path / "bad", 2) / "001.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"Picture .*001\.png cannot be read"):
        read_photographs([tmp_path / "bad"])
