"""`law-rl codec` end to end with tiny untrained models: encode, decode, info, evaluate and compare."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import Codec, load_codec
from law_rl.compression.image_metrics import psnr
from law_rl.compression.peers import PEERS
from law_rl.compression.pictures import read_picture
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.codecs import write_model, write_pictures
from tests.law_rl.report.runs import Page


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture(scope="module")
def codec(model: Path) -> Codec:
    return load_codec(model)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def run(verb: str, *arguments: str | Path, model: Path, cwd: Path, status: int = 0) -> tuple[str, str]:
    return law_rl("codec", verb, *map(str, arguments), "--model", str(model), cwd=cwd, status=status)


def refused(verb: str, *arguments: str | Path, cwd: Path) -> str:
    return complaint("codec", verb, *map(str, arguments), cwd=cwd)


def test_there_and_back(tmp_path: Path, model: Path, codec: Codec) -> None:
    write_pictures(tmp_path, "a.png")
    pixels = read_picture(tmp_path / "a.png")
    out, _ = run("encode", "a.png", "new/x.edic", model=model, cwd=tmp_path)
    content = (tmp_path / "new/x.edic").read_bytes()
    assert content == codec.encode(pixels)
    assert f"new/x.edic: {len(content)} bytes, {8 * len(content) / (40 * 70):.3f} bits per pixel, " in out
    out, _ = run("decode", "new/x.edic", "b.bmp", model=model, cwd=tmp_path)
    assert np.array_equal(read_picture(tmp_path / "b.bmp"), codec.decode(content))
    assert out.startswith("b.bmp: ")


def test_folders_there_and_back_by_several_workers(tmp_path: Path, model: Path, codec: Codec) -> None:
    names = ["a.png", "grey.png", "in/c.bmp", "in/deep/d.png"]
    write_pictures(tmp_path / "photos", *names)
    out, _ = run("encode", "photos", "--out", "coded", "--workers", "3", model=model, cwd=tmp_path)
    assert "encode: 4/4 files" in out and "4 files, the first coded/a.edic: " in out
    out, _ = run("decode", "coded/**/*.edic", "--out", "flat", model=model, cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "flat").iterdir()) == ["a.png", "c.png", "d.png", "grey.png"]
    run("decode", "coded", model=model, cwd=tmp_path)
    for name in names:
        pixels = read_picture(tmp_path / "photos" / name)
        decoded = read_picture((tmp_path / "coded" / name).with_suffix(".png"))
        assert np.array_equal(decoded, codec.decode(codec.encode(pixels))) and decoded.ndim == pixels.ndim


def test_models_that_ship_are_found_by_quality_and_by_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(tmp_path / "models", monkeypatch)
    write_pictures(tmp_path, "a.png")
    law_rl("codec", "encode", "a.png", cwd=tmp_path)
    law_rl("codec", "encode", "a.png", "three.edic", "--quality", "3", cwd=tmp_path)
    facts = info(tmp_path, "a.edic"), info(tmp_path, "three.edic")
    assert [each["quality"] for each in facts] == [2, 3]
    assert [Path(each["model_file"]).name for each in facts] == ["m2.safetensors", "m3.safetensors"]
    law_rl("codec", "decode", "a.edic", "three.edic", "--out", "out", cwd=tmp_path)
    expected = load_codec(tmp_path / "models" / "m3.safetensors").decode((tmp_path / "three.edic").read_bytes())
    assert np.array_equal(read_picture(tmp_path / "out" / "three.png"), expected)
    (tmp_path / "models" / "m3.safetensors").unlink()
    assert "three.edic: no codec model that ships has the hash" in refused("decode", "three.edic", cwd=tmp_path)


def ship(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of qualities 1 to 3 as if they came with law-rl."""
    for quality in (1, 2, 3):
        write_model(folder / f"m{quality}.safetensors", seed=quality, quality=quality)
    for function in ("shipped_models", "model_path", "model_of_hash"):
        monkeypatch.setattr(f"law_rl.compression.shipped.{function}.__defaults__", (folder, CodecModel))


def info(cwd: Path, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(
        law_rl("codec", "info", *map(str, arguments), "--json", cwd=cwd, status=status)[0]
    )
    return facts


def test_a_damaged_file_is_named_and_the_others_are_finished(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    run("encode", "in", "--out", "coded", model=model, cwd=tmp_path)
    broken = tmp_path / "coded" / "b.edic"
    broken.write_bytes(broken.read_bytes()[:-9])
    (tmp_path / "coded" / "c.edic").write_bytes(b"something else")
    _, error = run("decode", "coded", "--out", "out", model=model, cwd=tmp_path, status=2)
    assert "law-rl: coded/b.edic: the image file ends within" in error
    assert "law-rl: coded/c.edic: this is no .edic image" in error
    assert error.strip().endswith("law-rl: 2 of 4 files failed, see above; the others are done")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "d.png"]


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_finished(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path, "a.png", "b.png")
    Image.new("RGBA", (5, 5)).save(tmp_path / "c.png")
    _, error = run("encode", "a.png", "b.png", "c.png", model=model, cwd=tmp_path, status=2)
    assert "law-rl: c.png has an alpha channel" in error and "1 of 3 files failed" in error
    assert (tmp_path / "a.edic").exists() and (tmp_path / "b.edic").exists() and not (tmp_path / "c.edic").exists()


def test_existing_files_are_kept_unless_it_is_asked(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "a.edic").write_bytes(b"mine")
    _, error = run("encode", "a.png", "b.png", model=model, cwd=tmp_path, status=2)
    assert "a.edic exists: give --overwrite" in error
    assert (tmp_path / "a.edic").read_bytes() == b"mine" and not (tmp_path / "b.edic").exists()
    run("encode", "a.png", "b.png", "--overwrite", model=model, cwd=tmp_path)
    assert (tmp_path / "a.edic").read_bytes().startswith(b"EDIC")
    _, error = run("decode", "a.edic", model=model, cwd=tmp_path, status=2)
    assert "a.png exists: give --overwrite" in error


def test_info_says_what_a_file_holds(tmp_path: Path, model: Path, codec: Codec) -> None:
    write_pictures(tmp_path, "grey.png")
    run("encode", "grey.png", model=model, cwd=tmp_path)
    size = (tmp_path / "grey.edic").stat().st_size
    facts = info(tmp_path, "grey.edic", "--model", model)
    assert (facts["width"], facts["height"], facts["colours"], facts["quality"]) == (70, 40, "grey", 3)
    assert facts["bytes"] == size and facts["bits_per_pixel"] == pytest.approx(8 * size / 2800)
    assert facts["model"] == codec.model.hash.hex() and facts["model_file"] == str(model)
    assert facts["whole"] and facts["decodes"] and facts["problem"] is None
    assert 0 < sum(facts["chunks"].values()) < size
    text, _ = law_rl("codec", "info", "grey.edic", cwd=tmp_path)
    assert f"grey.edic: {size} bytes" in text and "picture: 70 x 40 grey" in text
    assert "not found here" in text and "the file's checksums hold; give --model to check its latents" in text


def test_info_of_damaged_files_says_so_and_ends_with_status_2(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path, "a.png")
    run("encode", "a.png", model=model, cwd=tmp_path)
    content = (tmp_path / "a.edic").read_bytes()
    (tmp_path / "cut.edic").write_bytes(content[:-1])
    facts = info(tmp_path, "cut.edic", status=2)
    assert facts["width"] == 70 and not facts["whole"] and facts["decodes"] is None and facts["chunks"] is None
    assert facts["bits_per_pixel"] is None and facts["model_file"] is None
    assert info(tmp_path, "cut.edic", "--model", model, status=2)["model_file"] == str(model)
    (tmp_path / "head.edic").write_bytes(content[:10])
    facts = info(tmp_path, "head.edic", status=2)
    assert facts["width"] is None and not facts["whole"] and "ends within its header" in facts["problem"]
    text, error = law_rl("codec", "info", "cut.edic", cwd=tmp_path, status=2)
    assert "checks: damaged" in text and "law-rl: cut.edic: the image file" in error
    other = write_model(tmp_path / "other.safetensors", seed=5)
    facts = info(tmp_path, "a.edic", "--model", other, status=2)
    assert facts["whole"] and facts["decodes"] is False and "use that model" in facts["problem"]


def test_evaluate_measures_whole_files(tmp_path: Path, model: Path, codec: Codec) -> None:
    write_pictures(tmp_path / "in", "a.png", "grey.png")
    write_pictures(tmp_path / "in", "large.png", height=180, width=190)
    out, _ = run("evaluate", "in", "--json", model=model, cwd=tmp_path)
    result = json.loads(out)
    for row in result["pictures"]:
        pixels = read_picture(tmp_path / row["name"])
        content = codec.encode(pixels)
        assert (row["height"], row["width"], row["bytes"]) == (*pixels.shape[:2], len(content))
        assert row["bpp"] == pytest.approx(8 * len(content) / (row["width"] * row["height"]))
        assert row["psnr"] == pytest.approx(psnr(pixels, codec.decode(content)))
        assert (row["ms_ssim"] is None) == (row["height"] < 176)
        assert row["encode_s"] > 0 and row["decode_s"] > 0
    mean = result["mean"]
    assert mean["bpp"] == pytest.approx(sum(row["bpp"] for row in result["pictures"]) / 3)
    assert mean["ms_ssim"] is None and math.isfinite(mean["psnr"])
    text, _ = run("evaluate", "in", model=model, cwd=tmp_path)
    assert "mean of 3" in text and "grey.png" in text and "in/grey.png" not in text


def test_evaluate_and_compare_leave_out_what_cannot_be_read(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in", "b.png", "c.png", height=180, width=190)
    (tmp_path / "in/a.png").write_text("no picture")
    for verb, flag in (("evaluate", "--model"), ("compare", "--models")):
        out, error = law_rl("codec", verb, "in", flag, str(model), "--json", cwd=tmp_path, status=2)
        found = json.loads(out)["pictures"]
        assert found == 2 if verb == "compare" else [row["name"] for row in found] == ["in/b.png", "in/c.png"]
        assert "law-rl: in/a.png cannot be read as a picture" in error
        assert error.strip().endswith("law-rl: 1 of 3 files failed, see above; the others are done")
    (tmp_path / "in/b.png").unlink()
    (tmp_path / "in/c.png").write_text("no picture")
    out, error = law_rl("codec", "evaluate", "in", "--model", str(model), "--json", cwd=tmp_path, status=2)
    assert out == "" and "all 2 files failed, see above" in error


def test_compare_holds_models_against_what_pillow_has(tmp_path: Path, model: Path) -> None:
    write_pictures(tmp_path / "in", "a.png", height=180, width=190)
    second = write_model(tmp_path / "second.safetensors", seed=1)
    flags = ("--models", str(model), str(second), "--report", "report.html")
    result = json.loads(law_rl("codec", "compare", "in", *flags, "--json", cwd=tmp_path)[0])
    available = [peer for peer in PEERS if peer.available]
    assert list(result["curves"]) == ["EDIC (law-rl)", *(peer.name for peer in available)]
    assert [point["setting"] for point in result["curves"]["EDIC (law-rl)"]["points"]] == ["tiny", "second"]
    assert all(len(result["curves"][peer.name]["points"]) == len(peer.qualities) for peer in available)
    pixels = read_picture(tmp_path / "in/a.png")
    jpeg = next(peer for peer in PEERS if peer.name == "JPEG")
    content = jpeg.encode(pixels, jpeg.qualities[2])
    point = result["curves"]["JPEG"]["points"][2]
    assert point["bpp"] == pytest.approx(8 * len(content) / (180 * 190))
    assert point["psnr"] == pytest.approx(psnr(pixels, jpeg.decode(content, grey=False)))
    assert result["pictures"] == 1 and set(result["bd_rates"]) == {peer.name for peer in available}
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.tables[1]) == 3 + sum(len(peer.qualities) for peer in available)


def test_compare_prints_a_table_and_names_what_is_missing(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = (PEERS[0], type(PEERS[0])(name="BPG", format="BPG", qualities=(1, 2)))
    monkeypatch.setattr("law_rl.commands.codec_compare.PEERS", peers)
    write_pictures(tmp_path, "a.png")
    text, _ = law_rl("codec", "compare", "a.png", "--models", str(model), cwd=tmp_path)
    assert "no overlap" in text and "JPEG" in text
    assert "not compared, as this Pillow lacks it: BPG" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("encode", "a.png", "--quality", "1", "--model", "m"), "give one of them"),
        (("encode", "a.png", "--model", "m.safetensors"), "there is no codec model m.safetensors"),
        (("encode", "a.png", "--quality", "77"), "no model of quality 77 ships"),
        (("encode", "a.png", "--device", "gpu"), "device is 'gpu'"),
        (("encode", "missing.png"), "There is no file missing.png"),
        (("encode", "a.png", "a.png", "x.edic"), "x.edic is one file for one other"),
        (("decode", "a.png", "a.jpg"), "a.jpg would lose pixels again"),
        (("decode", "a.png", "b.png"), "a.png: this is no .edic image"),
        (("info", "a.png"), "a.png: this is no .edic image"),
        (("info", "missing.edic"), "There is no file missing.edic: check its name"),
        (("evaluate", "empty"), "empty holds no"),
        (("evaluate",), "no file is named"),
        (("encode",), "no file is named"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    write_pictures(tmp_path, "a.png")
    (tmp_path / "empty").mkdir()
    assert words in refused(*arguments, cwd=tmp_path)
