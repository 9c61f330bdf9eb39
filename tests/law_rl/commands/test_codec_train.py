"""`law-rl codec train` end to end: the files, a stop, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from law_rl.commands import codec_train
from law_rl.compression.codec import load_codec
from law_rl.compression.network.codec_network import CodecConfig
from tests.law_rl.commands.cli import complaint, law_rl

SHORT = ("--steps", "9", "--batch", "1", "--crop", "64")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codec_train.SIZES, "small", CodecConfig(width=4, latents=6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "holiday"
    folder.mkdir()
    rows, columns = np.mgrid[:70, :90]
    for number in range(3):
        waves = [127 + 120 * np.sin(rows / (3 + number)) * np.cos(columns / period) for period in (4, 6, 9)]
        Image.fromarray(np.stack(waves, 2).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_it_writes_a_model_that_codes_and_its_card(folder: Path, tmp_path: Path) -> None:
    flags = ("--out", "mine.safetensors", "--lambda", "512", "--quality", "3", "--components", "2", *SHORT)
    out, _ = law_rl("codec", "train", str(folder), *flags, cwd=tmp_path)
    assert "2 photographs of holiday to train on, 1 held out" in out
    assert "codec encode PICTURE --model mine.safetensors" in out
    codec = load_codec(tmp_path / "mine.safetensors")
    image = np.asarray(Image.open(folder / "2.png"))
    assert codec.decode(codec.encode(image)).shape == image.shape
    card = json.loads((tmp_path / "mine.json").read_text())
    assert (card["quality"], card["steps"], card["training"]["lambda_"]) == (3, 9, 512)
    assert card["bytes"] == (tmp_path / "mine.safetensors").stat().st_size
    assert card["codec"]["components"] == codec.model.config.components == 2
    provenance: dict[str, Any] = dict(codec.model.provenance)
    assert provenance == {name: value for name, value in card.items() if name != "bytes"}
    page = (tmp_path / "mine.md").read_text()
    assert "holiday: 2 to train on, 1 for validation" in page and str(tmp_path) not in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["holiday", "mine.json", "mine.md", "mine.safetensors"]


def test_a_stopped_training_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    command = ("codec", "train", str(folder), "--out", "mine.safetensors", *SHORT)
    with monkeypatch.context() as patch:
        patch.setattr(codec_train, "put_out", stop)
        law_rl(*command, cwd=tmp_path, status=1)
    assert not (tmp_path / "mine.safetensors").exists()
    out, _ = law_rl(*command, "--json", cwd=tmp_path)
    assert json.loads(out)["steps"] == 9
    assert not (tmp_path / "mine.checkpoint").exists()


def test_a_stop_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.checkpoint").write_bytes(b"broken")
    assert "is damaged" in complaint("codec", "train", str(folder), "--out", "mine.safetensors", *SHORT, cwd=tmp_path)


def test_what_it_refuses(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").touch()
    train = ("codec", "train", str(folder), "--out")
    assert "mine.safetensors exists: give another name" in complaint(*train, "mine.safetensors", cwd=tmp_path)
    assert "batch is 0: give a number above 0" in complaint(*train, "new", "--batch", "0", cwd=tmp_path)
    assert "is as large as a crop of 256 x 256" in complaint(*train, "new", cwd=tmp_path)
    assert "nowhere does not exist" in complaint("codec", "train", "nowhere", "--out", "new", cwd=tmp_path)
