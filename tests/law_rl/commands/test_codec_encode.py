"""`law-rl codec encode` and `decode`: metadata, and batches that go on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from law_rl.compression.pictures import read_picture, read_picture_metadata
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.codecs import write_model, write_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def run(verb: str, *arguments: str, model: Path, cwd: Path, status: int = 0) -> tuple[str, str]:
    return law_rl("codec", verb, *arguments, "--model", str(model), cwd=cwd, status=status)


def write_photograph(path: Path) -> Path:
    """A JPEG as a camera held upright writes it: turned, and said so."""
    write_pictures(path.parent, "plain.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "Maker"
    with Image.open(path.parent / "plain.png") as image:
        image.save(path, exif=exif, icc_profile=b"a profile")
    return path


def test_metadata_are_kept_where_it_is_asked(tmp_path: Path, model: Path) -> None:
    photograph = write_photograph(tmp_path / "a.jpg")
    run("encode", "a.jpg", "plain.edic", model=model, cwd=tmp_path)
    run("encode", "a.jpg", "--keep-metadata", model=model, cwd=tmp_path)
    facts = [json.loads(run("info", name, "--json", model=model, cwd=tmp_path)[0]) for name in ("plain.edic", "a.edic")]
    kept = read_picture_metadata(photograph)
    assert kept is not None and kept.icc_profile == b"a profile"
    assert [each["metadata"] for each in facts] == [{}, {"EXIF": len(kept.exif), "colour profile": 9}]
    assert facts[0]["chunks"] == facts[1]["chunks"] and facts[1]["decodes"]
    assert f"EXIF {len(kept.exif)} bytes, colour profile 9 bytes" in run("info", "a.edic", model=model, cwd=tmp_path)[0]
    for source, target, metadata in (("plain", "x.png", None), ("a", "y.png", kept), ("a", "z.bmp", None)):
        run("decode", f"{source}.edic", target, model=model, cwd=tmp_path)
        assert read_picture_metadata(tmp_path / target) == metadata
        assert read_picture(tmp_path / target).shape == (70, 40, 3)
    with Image.open(tmp_path / "y.png") as image:
        assert (image.getexif()[ExifTags.Base.Orientation], image.getexif()[ExifTags.Base.Make]) == (1, "Maker")


def test_metadata_that_are_too_long_are_refused(tmp_path: Path, model: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.webp", icc_profile=bytes((1 << 20) + 1))
    _, error = run("encode", "a.webp", "--keep-metadata", model=model, cwd=tmp_path, status=2)
    assert "a.webp: the metadata have 1,048,577 bytes, more than 1,048,576" in error
    assert not (tmp_path / "a.edic").exists()
    run("encode", "a.webp", model=model, cwd=tmp_path)


def test_a_batch_that_was_stopped_goes_on(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in", "a.png", "b.png", "c.png")
    run("encode", "in", "--out", "coded", model=model, cwd=tmp_path)
    (tmp_path / "coded/a.edic").write_bytes(b"mine")
    (tmp_path / "coded/c.edic").unlink()
    out, _ = run("encode", "in", "--out", "coded", "--skip-existing", model=model, cwd=tmp_path)
    assert out.startswith("coded/c.edic: ")
    assert (tmp_path / "coded/a.edic").read_bytes() == b"mine" and (tmp_path / "coded/c.edic").exists()
    out, _ = run("encode", "in", "--out", "coded", "--skip-existing", model=model, cwd=tmp_path)
    assert out == "nothing to do: all files exist already\n"
    run("decode", "coded/b.edic", "out/b.png", model=model, cwd=tmp_path)
    before = (tmp_path / "out/b.png").stat().st_mtime_ns
    _, error = run("decode", "coded", "--out", "out", "--skip-existing", model=model, cwd=tmp_path, status=2)
    assert "law-rl: coded/a.edic: this is no .edic image" in error and "1 of 2 files failed" in error
    assert (tmp_path / "out/b.png").stat().st_mtime_ns == before and (tmp_path / "out/c.png").exists()
    (tmp_path / "coded/a.edic").unlink()
    out, _ = run("decode", "coded", "--out", "out", "--skip-existing", model=model, cwd=tmp_path)
    assert out == "nothing to do: all files exist already\n"


def test_writing_over_and_leaving_are_not_asked_together(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a.png")
    for verb in ("encode", "decode"):
        assert "give one of them" in complaint("codec", verb, "a.png", "--overwrite", "--skip-existing", cwd=tmp_path)


def test_webp_keeps_every_pixel(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path, "a.png")
    run("encode", "a.png", model=model, cwd=tmp_path)
    for target in ("x.webp", "x.ppm"):
        run("decode", "a.edic", target, model=model, cwd=tmp_path)
    assert np.array_equal(read_picture(tmp_path / "x.webp"), read_picture(tmp_path / "x.ppm"))
