"""Published points, and the pictures that they are of."""

from pathlib import Path

import pytest
from PIL import Image

from law_rl.compression.pictures import read_picture, write_picture
from law_rl.compression.published import KODAK, fingerprint, is_kodak, published_kodak, source


def test_curves_rise_and_are_named_as_published() -> None:
    curves = published_kodak()
    names = [curve.name.removesuffix(" (published)") for curve in curves]
    assert names == ["JPEG", "WebP", "BPG", "VTM", "bmshj2018-hyperprior", "mbt2018-mean", "mbt2018"]
    for curve in curves:
        assert curve.published and len(curve.points) >= 8
        for metric in ("psnr", "ms_ssim"):
            rates, qualities = curve.values(metric)  # type: ignore[arg-type]
            assert len(rates) == len(curve.points)
            assert (rates[1:] > rates[:-1]).all() and (qualities[1:] > qualities[:-1]).all()
    assert "CompressAI" in source()


@pytest.fixture(scope="module")
def kodak(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "kodak").glob("*.png"))
    if len(found) != 24:
        pytest.skip(f"Kodak's 24 pictures are not in {shared_data / 'kodak'}")
    return found


def test_kodak_is_known_by_its_pixels_in_any_order(kodak: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "renamed.bmp"
    write_picture(copy, read_picture(kodak[3]))
    assert fingerprint([*kodak[:3:-1], copy, *kodak[:3]]) == KODAK
    assert is_kodak(kodak)


def test_other_pictures_are_not_kodak(tmp_path: Path) -> None:
    paths = [tmp_path / f"kodim{number:02d}.png" for number in range(1, 25)]
    for number, path in enumerate(paths):
        Image.new("RGB", (768, 512), (number, 0, 0)).save(path)
    assert not is_kodak(paths) and not is_kodak(paths[:3])
