"""Video models survive a file bit for bit, name their intra model, and refuse what is not theirs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from law_rl.compression.video.model_file import VideoModel
from law_rl.files import read_metadata
from tests.law_rl.compression.video.tiny import CONFIG, intra_model, video_model


def test_a_file_gives_the_same_model(tmp_path: Path) -> None:
    model, path = video_model(), tmp_path / "video.safetensors"
    model.save(path)
    again = VideoModel.load(path)
    assert again.hash == model.hash and again.config == CONFIG and again.intra == intra_model().hash
    assert (again.lambda_, again.quality, again.provenance) == (1024.0, 2, {"by": "test"})
    for name, tensor in model.network().state_dict().items():
        assert torch.equal(again.network().state_dict()[name], tensor)


def test_tables_are_those_of_the_hyper_latents_and_then_of_the_motion() -> None:
    model = video_model()
    tables, network = model.tables.prior_tables(), model.network()
    assert len(tables) == CONFIG.residual.width + CONFIG.motion
    for table, prior, channel in ((tables[3], network.residual.prior, 3), (tables[-2], network.motion.prior, 2)):
        edges = torch.tensor([-0.5, 0.5], dtype=torch.float64).view(1, 1, 1, 2)
        low, high = prior.double().cdf(edges)[0, channel, 0].tolist()
        assert table.counts[-table.first] / 2**24 == pytest.approx(high - low, abs=1e-4)


def test_the_hash_depends_on_the_intra_model() -> None:
    assert replace(video_model(), intra=b"12345678").hash != video_model().hash


def test_the_known_answer_sees_the_decoder_and_not_the_flow(tmp_path: Path) -> None:
    network = video_model().network()
    answer = VideoModel.answer(network)
    network.flow.levels[0][0].weight.data.add_(0.1)
    assert VideoModel.answer(network) == answer
    network.compensation.tail.bias.data.add_(0.1)
    assert VideoModel.answer(network) != answer


def test_intra_models_are_found_or_named(tmp_path: Path) -> None:
    path = tmp_path / "intra.safetensors"
    intra_model().save(path)
    assert video_model().intra_model(path).hash == intra_model().hash
    with pytest.raises(FileNotFoundError, match="no codec model that ships has the hash"):
        video_model().intra_model()
    other = CodecModel.export(build_codec(CodecConfig(width=8, latents=8), 1), lambda_=1, quality=1)
    other.save(path)
    with pytest.raises(ValueError, match="goes with"):
        video_model().intra_model(path)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "intra.safetensors"
    intra_model().save(path)
    with pytest.raises(ValueError, match="another kind: give a video model"):
        VideoModel.load(path)
    video_model().save(path)
    with pytest.raises(ValueError, match="another kind: give a codec model"):
        CodecModel.load(path)


def test_a_changed_weight_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "video.safetensors"
    video_model().save(path)
    tensors, head = load_file(path), read_metadata(path.read_bytes())
    tensors["weight.compensation.tail.bias"] = tensors["weight.compensation.tail.bias"] + 1
    save_file(tensors, path, head)
    with pytest.raises(ValueError, match="its hash is another"):
        VideoModel.load(path)
