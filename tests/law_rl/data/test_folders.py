from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.data.folders import decode_image, read_folders


def write_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_folders(root: Path) -> None:
    for part, count in (("train", 3), ("val", 2)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                write_image(root / part / name / f"{number}.png", np.full((6, 6, 3), 100 * label + 10 * number))
    (root / "train" / "cat" / "notes.txt").write_text("no image")


def test_reads_classes_in_alphabetical_order(tmp_path: Path) -> None:
    write_folders(tmp_path)
    parts = read_folders(tmp_path, 4)
    assert parts.class_names == ("cat", "dog")
    assert parts.train.targets.tolist() == [0, 0, 0, 1, 1, 1] and parts.test.targets.tolist() == [0, 0, 1, 1]
    images = parts.train.images(torch.tensor([5, 1]))
    assert images.shape == (2, 3, 4, 4) and images.dtype == torch.uint8
    assert bool((images[0] == 120).all()) and bool((images[1] == 10).all())


def test_cuts_the_centre_of_an_image_that_has_the_right_short_side(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 10, 3))
    write_image(tmp_path / "wide.png", pixels)
    write_image(tmp_path / "tall.png", pixels.transpose(1, 0, 2))
    centre = torch.from_numpy(pixels[:, 3:7].astype(np.uint8)).permute(2, 0, 1)
    assert torch.equal(decode_image(tmp_path / "wide.png", 4), centre)
    assert torch.equal(decode_image(tmp_path / "tall.png", 4), centre.transpose(1, 2))


def test_resizes_the_short_side(tmp_path: Path) -> None:
    halves = np.zeros((20, 40, 3))
    halves[:, 20:] = 200
    write_image(tmp_path / "halves.png", halves)
    image = decode_image(tmp_path / "halves.png", 10)
    assert image.shape == (3, 10, 10)
    assert bool((image[:, :, :4] == 0).all()) and bool((image[:, :, 6:] == 200).all())


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_other_colour_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (5, 5), (60, 60, 60)).convert(mode).save(tmp_path / "image.tiff")
    assert decode_image(tmp_path / "image.tiff", 5).shape == (3, 5, 5)


def test_the_first_unreadable_file_is_named(tmp_path: Path) -> None:
    write_folders(tmp_path)
    for name in ("cat/2.png", "dog/0.png"):
        (tmp_path / "train" / name).write_bytes((tmp_path / "train" / name).read_bytes()[:40])
    part = read_folders(tmp_path, 4).train
    with pytest.raises(ValueError, match=r"cat/2\.png cannot be read"):
        part.images(torch.arange(6))
    assert len(part.images(torch.tensor([0, 1, 4, 5]))) == 4


def test_an_image_too_large_to_be_meant_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "bomb.png", np.zeros((6, 6, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"bomb\.png cannot be read"):
        decode_image(tmp_path / "bomb.png", 4)


def test_missing_folders_and_classes_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train does not exist: set"):
        read_folders(tmp_path, 4)
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "val" / "cat").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="train holds no images"):
        read_folders(tmp_path, 4)
    write_folders(tmp_path)
    write_image(tmp_path / "val" / "emu" / "0.png", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="class 'emu'"):
        read_folders(tmp_path, 4)
