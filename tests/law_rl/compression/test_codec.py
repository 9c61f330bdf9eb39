"""The codec as a user calls it: what is encoded under one setting decodes under any other, or is refused."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.codec_fuzz import METADATA, damaged, verdict
from law_rl.compression.bitstream.container import Chunk, Container, Header
from law_rl.compression.bitstream.hyper_parameters import FixedPointDecoder
from law_rl.compression.bitstream.latent_coder import LatentCoder
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.codec import Codec, DamagedImage, Precision, load_codec, read_header, read_metadata
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from tests.law_rl.compression.bitstream.models import (
    LATENTS,
    SETTINGS,
    WIDTH,
    formula_weights,
    picture,
    tiny_model,
    torch_setting,
)

SIZES = [(1, 1), (64, 64), (63, 65), (17, 200), (130, 1)]
GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def model() -> CodecModel:
    network = build_codec(CodecConfig(width=8, latents=12, components=2, attention="both"), 0)
    return CodecModel.export(network, lambda_=1024, quality=2)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("grey", [False, True])
def test_any_size_comes_back(components: int, height: int, width: int, grey: bool) -> None:
    codec, image = Codec(tiny_model(components)), picture(height, width, grey=grey)
    content = codec.encode(image)
    decoded = codec.decode(content)
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    header = read_header(content)
    assert (header.height, header.width, header.grey) == (height, width, grey)
    assert (header.quality, header.model) == (components, tiny_model(components).hash)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_the_picture_is_what_the_network_makes_of_its_latents(components: int) -> None:
    network = build_codec(CodecConfig(width=8, latents=12, components=components, enhancement=4), 0)
    codec = Codec(CodecModel.export(network, lambda_=1024, quality=1))
    image = picture(64, 128)
    images = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        expected = codec.model.network()(images).reconstruction[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
    difference = np.abs(codec.decode(codec.encode(image)).astype(np.float64) - expected)
    assert np.median(difference) <= 0.5 and np.mean(difference > 1) < 0.01  # a mean at a half sixteenth


def test_metadata_come_back_and_change_no_pixel(model: CodecModel) -> None:
    codec, image = Codec(model), picture(20, 30, grey=True)
    plain, kept = codec.encode(image), codec.encode(image, metadata=METADATA)
    assert read_metadata(plain) is None and read_metadata(kept) == METADATA
    assert np.array_equal(codec.decode(kept), codec.decode(plain)) and codec.decode(kept).ndim == 2
    assert len(kept) == len(plain) + len(METADATA.exif) + len(METADATA.icc_profile) + 2 + 1 + 4


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (64, 128), (200, 300)])
@pytest.mark.parametrize("grey", [False, True])
def test_the_file_is_little_more_than_the_estimate(components: int, height: int, width: int, grey: bool) -> None:
    codec, image = Codec(tiny_model(components)), picture(height, width, grey=grey)
    assert len(codec.encode(image)) <= codec.estimated_bits(image) / 8 * 1.005 + 64


def test_every_setting_decodes_what_every_other_encodes(model: CodecModel) -> None:
    image = picture(20, 30)
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    files, pictures = [], []
    for (threads, onednn), precision in product(SETTINGS[:3], precisions):
        with torch_setting(threads, onednn=onednn):
            files.append(Codec(model, precision=precision).encode(image))
    for (threads, onednn), precision in product(SETTINGS[1:3], precisions):
        with torch_setting(threads, onednn=onednn):
            codec = Codec(model, precision=precision)
            pictures += [codec.decode(content).astype(int) for content in files]
    assert max(np.abs(each - pictures[0]).max() for each in pictures) < 30


def test_channels_last_and_plain_layouts_decode_each_others_files(
    model: CodecModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(64, 64)
    content = Codec(model).encode(image)
    before = CodecModel.network

    def plain(self: CodecModel, device: str | torch.device = "cpu") -> torch.nn.Module:
        return before(self, device).to(memory_format=torch.contiguous_format)

    monkeypatch.setattr(CodecModel, "network", plain)
    other = Codec(model)
    again = other.encode(image)
    decoded = other.decode(content)
    monkeypatch.undo()
    assert np.abs(Codec(model).decode(again).astype(int) - decoded).max() <= 1


def test_another_process_decodes_the_same_latents(model: CodecModel, tmp_path: Path) -> None:
    codec, image = Codec(model), picture(90, 70)
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "a.edic").write_bytes(codec.encode(image))
    script = (
        "import sys, torch, numpy; from law_rl.compression.codec import load_codec; torch.set_num_threads(2);"
        "numpy.save(sys.argv[3], load_codec(sys.argv[1]).decode(open(sys.argv[2], 'rb').read()))"
    )
    paths = [str(tmp_path / name) for name in ("model.safetensors", "a.edic", "a.npy")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", script, *paths], check=True, env=environment)
    decoded = codec.decode((tmp_path / "a.edic").read_bytes())
    assert np.abs(np.load(tmp_path / "a.npy").astype(int) - decoded).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("components", [1, 3])
def test_a_large_photograph(components: int) -> None:
    codec, image = Codec(tiny_model(components)), picture(1365, 2048)
    content = codec.encode(image)
    assert len(content) <= codec.estimated_bits(image) / 8 * 1.005 + 64
    with torch_setting(2, onednn=False):
        assert codec.decode(content).shape == image.shape


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("components", [1, 3])
def test_a_gpu_and_a_cpu_decode_each_others_files(components: int) -> None:
    network = build_codec(CodecConfig(width=32, latents=48, components=components), 0)
    model, image = CodecModel.export(network, lambda_=1024, quality=1), picture(333, 500)
    codecs = [Codec(model), Codec(model, device="cuda"), Codec(model, device="cuda", precision="bfloat16")]
    for codec in codecs:
        content = codec.encode(image)
        pictures = [other.decode(content).astype(int) for other in codecs]
        assert np.abs(pictures[1] - pictures[0]).max() <= 2


def golden(components: int) -> tuple[bytes, NDArray[np.float32]]:
    """A file and its quantised latents, from latents that are a formula: no transform takes part."""
    model = tiny_model(components)
    coder = LatentCoder(model.network().hyper_decoder, components, model.tables)
    header = Header(height=70, width=65, grey=False, quality=components, model=model.hash)
    z = (10 * formula_weights((WIDTH, 2, 2), 1)).numpy()
    y = (300 * formula_weights((LATENTS, 8, 8), 1).numpy() ** 7 + np.float32(0.3)).astype(np.float32)
    first, hyper_symbols = coder.encode_hyper_latents(z)
    parameters = coder.parameters(hyper_symbols)
    second, symbols = coder.encode_latents(y, parameters)
    chunks = [Chunk.of(header, first, hyper_symbols), Chunk.of(header, second, symbols)]
    content = Container(header=header, hyper_latents=chunks[0], latents=chunks[1]).encode()
    return content, coder.quantised(symbols, parameters).reshape(y.shape)


@pytest.mark.parametrize("components", [1, 3])
def test_the_golden_files_are_still_written_and_read(components: int) -> None:
    """A change here breaks the files that users have: raise the version of the format."""
    content = (GOLDEN / f"codec_{components}.edic").read_bytes()
    written, latents = golden(components)
    assert written == content
    codec = Codec(tiny_model(components))
    assert codec.decode(content).shape == (70, 65, 3)
    assert (codec._decoded_latents(Container.decode(content)) == latents).all()
    assert len(np.unique(latents)) > 50


def test_two_hundred_damaged_files_are_refused(model: CodecModel) -> None:
    codec = Codec(model)
    content = codec.encode(picture(100, 140), metadata=METADATA)
    said, start = [], time.monotonic()
    for number in range(200):
        kind, bad = damaged(content, number)
        assert bad != content
        said.append((number, kind, verdict(codec, bad)))
    assert [case for case in said if case[2] != "refused"] == []
    assert time.monotonic() - start < 60


def test_a_fuzzed_file_that_is_whole_would_be_seen(model: CodecModel) -> None:
    codec = Codec(model)
    assert verdict(codec, codec.encode(picture(10, 10))) == "a picture"
    assert verdict(codec, 5) == "TypeError: object of type 'int' has no len()"  # type: ignore[arg-type]


def test_another_arithmetic_is_refused_and_gives_no_picture(model: CodecModel, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Codec(model)
    content = codec.encode(picture(64, 64))
    exact = FixedPointDecoder.__call__

    def rounded_otherwise(self: FixedPointDecoder, z: NDArray[np.int32]) -> object:
        found = exact(self, z)
        found.levels[0, 0] ^= 1
        return found

    monkeypatch.setattr(FixedPointDecoder, "__call__", rounded_otherwise)
    with pytest.raises(DamagedImage, match=r"not those that were encoded|cannot be decoded"):
        codec.decode(content)


def test_a_lying_size_is_refused_before_the_hyper_decoder(model: CodecModel, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Codec(model)
    file = Container.decode(codec.encode(picture(64, 64)))
    lying = replace(file, header=replace(file.header, height=8000, width=8000))

    def forbidden(*_: object) -> object:
        raise AssertionError("the hyper-decoder ran")

    monkeypatch.setattr(FixedPointDecoder, "__call__", forbidden)
    with pytest.raises(DamagedImage):
        codec.decode(lying.encode())


def test_a_file_of_another_model_is_refused(model: CodecModel) -> None:
    with pytest.raises(DamagedImage, match=f"made with model {tiny_model().hash.hex()}"):
        Codec(model).decode(Codec(tiny_model()).encode(picture(8, 8)))


def test_the_limit_of_pixels_can_be_set(model: CodecModel) -> None:
    codec = Codec(model)
    content = codec.encode(picture(10, 11))
    assert codec.decode(content, max_pixels=110).shape == (10, 11, 3)
    with pytest.raises(DamagedImage, match="109 pixels"):
        codec.decode(content, max_pixels=109)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_image_are_refused(model: CodecModel, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="give uint8"):
        Codec(model).encode(image)


def test_latents_that_are_not_finite_are_refused(model: CodecModel, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Codec(model)
    monkeypatch.setattr(codec._network, "analyse", lambda images: torch.full((1, 12, 4, 4), torch.inf))
    with pytest.raises(ValueError, match="not finite"):
        codec.encode(picture(8, 8))


def test_a_precision_that_is_not_there_is_refused(model: CodecModel) -> None:
    with pytest.raises(ValueError, match="precision is 'float16'"):
        Codec(model, precision="float16")  # type: ignore[arg-type]


def test_a_codec_is_loaded_from_a_path(model: CodecModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    image = picture(20, 30)
    codec = load_codec(tmp_path / "model.safetensors", precision="bfloat16")
    assert Codec(model).decode(codec.encode(image)).shape == image.shape


def test_grey_pictures_decode_to_one_channel_like_their_colour_ones(model: CodecModel) -> None:
    codec, grey = Codec(model), picture(64, 64, grey=True)
    decoded = codec.decode(codec.encode(grey)).astype(int)
    coloured = codec.decode(codec.encode(np.stack([grey] * 3, -1))).mean(-1)
    assert np.abs(decoded - coloured).max() <= 1
