"""Models that ship: found by quality, by name and by hash."""

import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.compression.bitstream.container import Container
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import load_codec, read_header
from law_rl.compression.image_metrics import psnr
from law_rl.compression.shipped import model_of_hash, model_path, shipped_models
from tests.law_rl.compression.bitstream.models import picture, tiny_model

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    tiny_model(1).save(folder / "z.safetensors")
    tiny_model(3).save(folder / "a.safetensors")
    (folder / "a.md").write_text("a model card")
    return folder


def test_they_come_in_order_of_quality(folder: Path) -> None:
    assert [(quality, path.stem) for quality, path in shipped_models(folder).items()] == [(1, "z"), (3, "a")]


def test_one_is_found_by_quality_name_path_and_hash(folder: Path, tmp_path: Path) -> None:
    wanted = folder / "a.safetensors"
    assert all(model_path(name, folder) == wanted for name in (3, "3", "a", str(wanted), wanted))
    assert model_of_hash(tiny_model(3).hash, folder) == wanted


def test_what_is_not_there_is_named_with_what_is(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="quality 2 ships: use one of 1, 3"):
        model_path(2, folder)
    with pytest.raises(FileNotFoundError, match=r"no codec model b: .*\(z, a\)"):
        model_path("b", folder)
    with pytest.raises(FileNotFoundError, match="the hash 0000000000000000"):
        model_of_hash(bytes(8), folder)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none yet"):
        model_path(1, tmp_path)


def test_two_models_of_one_quality_are_refused(folder: Path) -> None:
    replace(tiny_model(1), lambda_=2).save(folder / "b.safetensors")
    with pytest.raises(ValueError, match="both have quality 1"):
        shipped_models(folder)


def test_those_of_this_law_rl_are_whole_and_in_order_of_rate() -> None:
    models = shipped_models()
    assert list(models) == [1, 2, 3, 4]
    rates = []
    for quality, path in models.items():
        model = CodecModel.load(path)
        assert path.stat().st_size <= (8_000_000 if model.config.width <= 64 else 20_000_000)
        assert model.quality == quality
        rates.append(model.provenance["validation"]["bpp"])
    assert rates == sorted(rates)


def test_a_file_of_a_model_that_ships_still_decodes() -> None:
    """Where this fails, users' files no longer decode: the model that wrote them must go on shipping."""
    content = (GOLDEN / "codec_shipped.edic").read_bytes()
    codec = load_codec(model_of_hash(read_header(content).model))
    latents = codec._decoded_latents(Container.decode(content)).astype("<f4")
    assert f"{zlib.crc32(latents.tobytes()):08x}" == "49661d35"
    assert psnr(codec.decode(content), picture(96, 144)) > 33
