"""A codec's model in a file: whole again, or refused in one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.bitstream.network_file import KEY
from law_rl.files import read_metadata
from tests.law_rl.compression.bitstream.models import tiny_model, tiny_network

Head = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tiny_model(3).save(path)
    return path


def rewritten(path: Path, change: Callable[[Head, dict[str, torch.Tensor]], object]) -> None:
    """The file with its JSON and tensors changed in place."""
    content = path.read_bytes()
    head, tensors = json.loads(read_metadata(content)[KEY]), load(content)
    change(head, tensors)
    path.write_bytes(save(tensors, {KEY: json.dumps(head)}))


def test_it_comes_back(path: Path) -> None:
    model, loaded = tiny_model(3), CodecModel.load(path)
    assert loaded.hash == model.hash and len(model.hash) == 8
    assert (loaded.config, loaded.lambda_, loaded.quality) == (model.config, 1024, 3)
    assert (loaded.distortion, loaded.provenance) == ("mse", {"by": "test"})
    network, other = model.network(), loaded.network()
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())


def test_the_head_says_what_it_is(path: Path) -> None:
    head = CodecModel.read_head(path)
    assert (head["quality"], head["lambda"], head["hash"]) == (3, 1024, tiny_model(3).hash.hex())


def test_the_network_is_that_which_was_exported_but_for_float16() -> None:
    network = tiny_network()
    for name, tensor in CodecModel.export(network, lambda_=1, quality=1).network().state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name].half().float())


def test_the_hash_is_of_what_decoding_depends_on() -> None:
    model = tiny_model()
    assert replace(model, provenance={"by": "another"}, quality=9).hash == model.hash
    weights = dict(model.weights)
    name = sorted(weights)[0]
    weights[name] = weights[name] + 1
    others = (replace(model, weights=weights), replace(model, tables=tiny_model(3).tables), tiny_model(3))
    assert len({model.hash, *(other.hash for other in others[::2])}) == 3
    assert replace(model, known_answer=model.known_answer + 1).hash != model.hash


def test_weights_that_are_not_finite_are_not_exported() -> None:
    network = tiny_network()
    with torch.no_grad():
        network.synthesis[0].weight[0, 0, 0, 0] = 1e6
    with pytest.raises(ValueError, match="not finite in float16"):
        CodecModel.export(network, lambda_=1, quality=1)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("lambda_", 0, "lambda_ is 0"),
        ("quality", 256, "quality is 256"),
        ("distortion", "ssim", "distortion is 'ssim'"),
    ],
)
def test_settings_out_of_range_are_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(tiny_model(), **{field: value})  # type: ignore[arg-type]


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError, match="no codec model at"):
        CodecModel.load("missing.safetensors")


@pytest.mark.parametrize("place", [0.02, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_flipped_bit_is_refused(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        CodecModel.load(path)


@pytest.mark.parametrize("length", [0, 5, 100, 5000])
def test_a_truncated_file_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        CodecModel.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda head, tensors: head.update(format="embeddings"), "another kind"),
        (lambda head, tensors: head.update(version=2), "version 2"),
        (lambda head, tensors: head.pop("quality"), "quality"),
        (lambda head, tensors: head.update(config={"width": 4}), "fits together"),
        (lambda head, tensors: head.update(config={"depth": 4}), "fits together"),
        (lambda head, tensors: head.update(config=5), "fits together"),
        (lambda head, tensors: head.update(quality=0), "quality is 0"),
        (lambda head, tensors: head.update(hash="00"), "its hash is another"),
        (lambda head, tensors: tensors.pop("table.tails"), "the tables are"),
        (lambda head, tensors: tensors.update({"weight.more": torch.zeros(1).half()}), "fits together"),
        (lambda head, tensors: tensors.update({"weight.more": torch.zeros(1)}), "not float16"),
        (lambda head, tensors: tensors["weight.prior.slopes"].fill_(torch.nan), "not finite"),
        (
            lambda head, tensors: tensors.update({"table.prior_firsts": torch.zeros(9, dtype=torch.int32)}),
            "number of channels",
        ),
    ],
)
def test_what_does_not_fit_is_refused(path: Path, change: Callable[[Head, Any], object], said: str) -> None:
    rewritten(path, change)
    with pytest.raises(ValueError, match=said) as error:
        CodecModel.load(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_another_arithmetic_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("law_rl.compression.bitstream.hyper_parameters.PHASES", 17)
    with pytest.raises(ValueError, match="other numbers on this machine"):
        CodecModel.load(path)


def test_provenance_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        replace(tiny_model(), provenance={"psnr": float("nan")}).save(tmp_path / "m.safetensors")
