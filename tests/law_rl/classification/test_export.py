import importlib.util
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from law_rl.classification import export
from law_rl.classification.export import export_network, save_onnx
from law_rl.classification.network_file import KEY, NetworkFacts, load_network
from law_rl.classification.networks import Classifier, NetworkConfig, build_network
from law_rl.data.dataset import normalise

CONFIGS = {
    "mlp": NetworkConfig(name="mlp", width=16, dropout=0.5, embedding=5),
    "cnn": NetworkConfig(name="cnn", width=4),
    "resnet8": NetworkConfig(name="resnet8"),
    "face_cnn": NetworkConfig(name="face_cnn", width=4, embedding=6, classifier="cosine", scale=30.0),
}


@dataclass(frozen=True)
class Exported:
    """A network and what its export wrote."""

    network: Classifier
    facts: NetworkFacts
    directory: Path
    sizes: dict[str, int]

    @property
    def onnx(self) -> Path:
        return self.directory / "student.onnx"


def facts_of(config: NetworkConfig) -> NetworkFacts:
    return NetworkFacts(
        network=config,
        image_shape=(3, 12, 8),
        class_names=("cat", "dog", "été", "x"),
        mean=(120.0, 60.0, 130.0),
        std=(60.0, 30.0, 65.0),
    )


def trained(facts: NetworkFacts) -> Classifier:
    """A network in training mode whose statistics of normalisation and logits are of the size of a trained one's."""
    network = build_network(facts.network, image_shape=facts.image_shape, classes=len(facts.class_names), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network.train(facts.network.dropout == 0)
        for _ in range(3):
            network(2 * torch.randn(16, *facts.image_shape, generator=generator) + 1)
        network.classifier.weight.mul_(30)
    return network.train()


@pytest.fixture(scope="module", params=CONFIGS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    pytest.importorskip("onnx", reason="the ONNX export needs onnx: pip install 'law-rl[onnx]'")
    pytest.importorskip("onnxscript", reason="the ONNX export needs onnxscript: pip install 'law-rl[onnx]'")
    facts = facts_of(CONFIGS[request.param])
    network, directory = trained(facts), tmp_path_factory.mktemp(request.param)
    return Exported(network, facts, directory, export_network(network, directory, facts, name="student"))


@pytest.mark.parametrize("count", [1, 2, 33])
def test_onnxruntime_agrees_with_torch(exported: Exported, count: int) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = runtime.InferenceSession(exported.onnx, providers=["CPUExecutionProvider"])
    images = torch.randint(256, (count, 3, 12, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
    logits, embedding = session.run(["logits", "embedding"], {"images": images.float().numpy()})
    network, facts = load_network(exported.directory / "student.safetensors")
    inputs = normalise(images, facts.mean, facts.std)
    with torch.inference_mode():
        for found, wanted in ((logits, network(inputs)), (embedding, network.embed(inputs))):
            assert found.shape == tuple(wanted.shape)
            assert wanted.abs().max() > 0.1
            assert (torch.from_numpy(found) - wanted).abs().max() <= 1e-5 * max(1.0, wanted.abs().max().item())


def test_the_graph_is_valid_and_says_what_it_takes(exported: Exported) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported.onnx)
    onnx.checker.check_model(model, full_check=True)

    def form(value: object) -> list[object]:
        kind = value.type.tensor_type  # type: ignore[attr-defined]
        assert kind.elem_type == onnx.TensorProto.FLOAT
        return [size.dim_param or size.dim_value for size in kind.shape.dim]

    assert {value.name: form(value) for value in model.graph.input} == {"images": ["batch", 3, 12, 8]}
    assert {value.name: form(value) for value in model.graph.output} == {
        "logits": ["batch", 4],
        "embedding": ["batch", exported.network.width],
    }
    assert {entry.domain for entry in model.opset_import} == {""}
    (entry,) = model.metadata_props
    assert entry.key == KEY and NetworkFacts.from_json(json.loads(entry.value)) == exported.facts


@pytest.mark.parametrize("exported", ["face_cnn"], indirect=True)
def test_the_graph_of_an_embedder_gives_embeddings_alone(exported: Exported, tmp_path: Path) -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path, facts = tmp_path / "embedder.onnx", replace(exported.facts, class_names=())
    save_onnx(exported.network, path, facts, private=True)
    assert path.stat().st_mode & 0o777 == 0o600 and b"dog" not in path.read_bytes()
    model = onnx.load(path)
    assert [value.name for value in model.graph.output] == ["embedding"]
    for graph, found in ((onnx.load(exported.onnx).graph, True), (model.graph, False)):
        centres = [tensor for tensor in graph.initializer if sorted(tensor.dims) == [4, 6]]
        assert bool(centres) == found
    (entry,) = model.metadata_props
    assert NetworkFacts.from_json(json.loads(entry.value)) == facts
    images = torch.rand(3, 3, 12, 8, generator=torch.Generator().manual_seed(0)) * 255
    ours, whole = (runtime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in (path, exported.onnx))
    (embedding,) = ours.run(None, {"images": images.numpy()})
    assert torch.equal(
        torch.from_numpy(embedding), torch.from_numpy(whole.run(["embedding"], {"images": images.numpy()})[0])
    )


def test_no_path_of_this_machine_is_in_the_files(exported: Exported) -> None:
    for path in exported.directory.iterdir():
        content = path.read_bytes()
        for folder in (Path(export.__file__).parent, Path(torch.__file__).parent, exported.directory, Path.home()):
            assert str(folder).encode() not in content
        assert b"forward" not in content


def test_sizes_are_those_of_the_files(exported: Exported) -> None:
    found = {path.name: path.stat().st_size for path in exported.directory.iterdir()}
    assert exported.sizes == found
    assert found.keys() == {"student.safetensors", "student.onnx"}


def test_the_network_is_left_as_it_was(exported: Exported) -> None:
    assert all(module.training for module in exported.network.modules())
    assert all(parameter.requires_grad for parameter in exported.network.parameters())
    assert logging.getLogger("torch.onnx").level == logging.NOTSET


@pytest.mark.parametrize("exported", ["mlp"], indirect=True)
def test_an_export_is_silent_and_repeatable(
    exported: Exported, tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    save_onnx(exported.network, tmp_path / "again.onnx", exported.facts)
    assert capfd.readouterr() == ("", "")
    assert [str(warning.message) for warning in recwarn] == []
    assert (tmp_path / "again.onnx").read_bytes() == exported.onnx.read_bytes()


def test_without_onnx_the_weights_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(export, "find_spec", lambda name: None if name.startswith("onnx") else find(name))
    facts = facts_of(NetworkConfig(width=4))
    network = trained(facts)
    with pytest.raises(ModuleNotFoundError, match=r"net\.onnx needs onnx and onnxscript: pip install 'law-rl\[onnx\]'"):
        export_network(network, tmp_path, facts, name="net")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
