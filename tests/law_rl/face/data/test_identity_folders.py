from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.face.data.identity_folders import read_identity_folders

SIZES = {"Zoe_Z": 3, "Ann_A": 2, "Bob_B": 1, "Eve_E": 5}


def write_folders(root: Path) -> Path:
    for person, (name, size) in enumerate(SIZES.items()):
        for number in range(1, size + 1):
            path = root / name / f"{name}_{number:04d}.{'png' if number % 2 else 'BMP'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 5, 3), 20 * person + number, dtype=np.uint8)).save(path)
    (root / "Ann_A" / "notes.txt").write_text("no image")
    (root / "empty").mkdir()
    (root / "readme.jpg").write_text("not in a folder")
    return root


@pytest.mark.parametrize("least", [1, 2, 3, 5])
def test_identities_and_images_come_in_order(tmp_path: Path, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(sorted(listed(path), reverse=True)))
    faces = read_identity_folders(write_folders(tmp_path), size=4, channels=1, least=least)
    names = sorted(name for name, size in SIZES.items() if size >= least)
    assert faces.names == tuple(names) and faces.images.shape[1:] == (1, 4, 4)
    expected = [
        (label, 20 * list(SIZES).index(name) + number)
        for label, name in enumerate(names)
        for number in range(1, SIZES[name] + 1)
    ]
    assert list(zip(faces.identities.tolist(), faces.images[:, 0, 0, 0].tolist(), strict=True)) == expected


def test_colours_are_kept(tmp_path: Path) -> None:
    faces = read_identity_folders(write_folders(tmp_path), size=3, channels=3)
    assert faces.images.shape == (sum(SIZES.values()), 3, 3, 3) and faces.images.dtype == torch.uint8


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere does not exist: give one that holds a folder for each"):
        read_identity_folders(tmp_path / "nowhere", size=4, channels=1)
    with pytest.raises(FileNotFoundError, match="holds no images in folders: put them in"):
        read_identity_folders(tmp_path, size=4, channels=1)
    write_folders(tmp_path)
    with pytest.raises(ValueError, match="has 6 images, the most are 5: lower least"):
        read_identity_folders(tmp_path, size=4, channels=1, least=6)
    with pytest.raises(ValueError, match="least is 0"):
        read_identity_folders(tmp_path, size=4, channels=1, least=0)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    damaged = write_folders(tmp_path) / "Eve_E" / "Eve_E_0003.png"
    damaged.write_bytes(damaged.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"Eve_E/Eve_E_0003\.png cannot be read"):
        read_identity_folders(tmp_path, size=4, channels=1)
