import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from torch import nn

from law_rl.classification.network_file import KEY, NetworkFacts, load_network, network_hash, save_network
from law_rl.classification.networks import Classifier, NetworkConfig, build_network
from law_rl.data.dataset import Dataset, Split, channel_statistics
from law_rl.files import read_metadata

FACTS = NetworkFacts(
    network=NetworkConfig(name="cnn", width=4),
    image_shape=(3, 8, 6),
    class_names=("cat", "dog", "été"),
    mean=(120.25, 110.5, 0.1),
    std=(60.0, 1 / 3, 255.0),
)


def network(facts: NetworkFacts = FACTS, seed: int = 3) -> Classifier:
    """A network whose statistics of normalisation are no longer those that it starts with."""
    built = build_network(facts.network, image_shape=facts.image_shape, classes=len(facts.class_names), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _ in range(3):
            built(2 * torch.randn(16, *facts.image_shape, generator=generator) + 1)
    return built


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some" / "net.safetensors"
    save_network(network(), path, FACTS)
    return path


def test_a_network_comes_back_bit_for_bit(path: Path) -> None:
    loaded, facts = load_network(path)
    assert facts == FACTS
    assert not any(module.training for module in loaded.modules())
    wanted = network().eval()
    images = torch.randn(5, 3, 8, 6)
    assert torch.equal(loaded(images), wanted(images))
    assert torch.equal(loaded.embed(images), wanted.embed(images))


def test_a_network_with_a_cosine_classifier_comes_back_with_its_scale(tmp_path: Path) -> None:
    facts = replace(FACTS, network=NetworkConfig(name="cnn", width=4, classifier="cosine", scale=30.0))
    save_network(network(facts), tmp_path / "net", facts)
    loaded, found = load_network(tmp_path / "net")
    assert found == facts and "classifier.bias" not in loaded.state_dict()
    images = torch.randn(5, 3, 8, 6)
    assert torch.equal(loaded(images), network(facts).eval()(images))
    with pytest.raises(ValueError, match=r"lack classifier\.bias, which cnn has"):
        save_network(loaded, tmp_path / "other", FACTS)


EMBEDDER = replace(FACTS, class_names=())


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_an_embedder_comes_back_without_classes(tmp_path: Path, kind: str) -> None:
    facts = replace(FACTS, network=NetworkConfig(name="cnn", width=4, embedding=5, classifier=kind))  # type: ignore[arg-type]
    trained, path = network(facts), tmp_path / "net"
    save_network(trained, path, replace(facts, class_names=()), private=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(name.startswith("classifier") for name in load_file(path))
    assert b"cat" not in path.read_bytes()
    loaded, found = load_network(path)
    assert found == replace(facts, class_names=()) and isinstance(loaded.classifier, nn.Identity)
    images, wanted = torch.randn(5, 3, 8, 6), trained.eval()
    assert torch.equal(loaded.embed(images), wanted.embed(images)) and loaded.embed(images).shape == (5, 5)
    assert torch.equal(loaded(images), loaded.embed(images))
    assert torch.equal(loaded.double().embed(images), loaded.embed(images.double()))


def test_an_embedder_is_written_again_to_the_same_bytes(tmp_path: Path) -> None:
    save_network(network(), tmp_path / "net", EMBEDDER)
    loaded, facts = load_network(tmp_path / "net")
    save_network(loaded, tmp_path / "again", facts)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes()
    with pytest.raises(ValueError, match=r"lack classifier\.weight, which cnn has"):
        save_network(loaded, tmp_path / "other", FACTS)


def test_an_embedder_with_a_classifier_in_its_file_is_refused(tmp_path: Path) -> None:
    save_network(network(), tmp_path / "net", EMBEDDER)
    rewrite(tmp_path / "net", lambda _, state: state.update({"classifier.weight": torch.ones(3, 16)}))
    with pytest.raises(ValueError, match=r"hold classifier\.weight, which cnn has not"):
        load_network(tmp_path / "net")


@pytest.mark.parametrize("facts", [FACTS, EMBEDDER], ids=["classifier", "embedder"])
def test_the_hash_of_a_network_is_that_of_its_file(tmp_path: Path, facts: NetworkFacts) -> None:
    save_network(network(), tmp_path / "net", facts)
    loaded, found = load_network(tmp_path / "net")
    head = json.loads(read_metadata((tmp_path / "net").read_bytes())[KEY])
    assert network_hash(loaded, found) == head["sha256"]


def test_others_find_the_weights_under_their_names(path: Path) -> None:
    wanted = network().state_dict()
    found = load_file(path)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_equal_networks_give_equal_bytes(path: Path, tmp_path: Path) -> None:
    trained = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_network(trained, tmp_path / "again", FACTS)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert trained.training
    save_network(network(seed=4), tmp_path / "other", FACTS)
    assert (tmp_path / "other").read_bytes() != path.read_bytes()


def test_the_facts_of_a_data_set() -> None:
    images = torch.randint(256, (6, 2, 3, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(images=images, targets=torch.arange(6) % 2)
    mean, std = channel_statistics(images)
    names = ("a", "b")
    data = Dataset(name="d", class_names=names, mean=mean, std=std, train=split, validation=split, test=split)
    facts = NetworkFacts.of(NetworkConfig(), data)
    assert (facts.image_shape, facts.class_names, facts.mean, facts.std) == ((2, 3, 4), names, mean, std)
    assert NetworkFacts.of_embedder(NetworkConfig(), data) == replace(facts, class_names=())
    for each in (facts, NetworkFacts.of_embedder(NetworkConfig(), data)):
        assert NetworkFacts.from_json(json.loads(json.dumps(each.to_json()))) == each


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_shape": (3, 8)}, r"image_shape is \(3, 8\): give \(channels, height, width\)"),
        ({"image_shape": (3, 8, 0)}, "image_shape"),
        ({"image_shape": (3, 8.0, 6)}, "image_shape"),
        ({"class_names": ("cat",)}, r"class_names is \('cat',\): give the names of at least 2"),
        ({"class_names": ("cat", 3)}, "class_names"),
        ({"mean": (1.0, 2.0)}, r"mean is \(1.0, 2.0\): give a finite number for each of 3 channels"),
        ({"mean": (1.0, 2.0, float("nan"))}, "mean is"),
        ({"std": (1.0, 2.0, "3")}, "std is"),
        ({"std": (1.0, 0.0, 2.0)}, r"std is \(1.0, 0.0, 2.0\): give deviations above 0"),
    ],
)
def test_facts_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(FACTS, **change)


def test_a_wrapped_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="the network is a DataParallel: give the Classifier itself"):
        save_network(nn.DataParallel(network()), tmp_path / "net", FACTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": NetworkConfig(name="cnn", width=5)}, r"body\.0\.weight is torch\.float32 \(4, 3, 3, 3\), and cnn"),
        ({"network": NetworkConfig(name="mlp")}, r"lack body\.3\.bias, which mlp has"),
        ({"network": NetworkConfig(name="cnn", width=4, embedding=2)}, r"lack embedding\.weight, which cnn has"),
        ({"class_names": ("cat", "dog")}, r"classifier\.weight is torch\.float32 \(3, 16\)"),
    ],
)
def test_a_network_of_other_facts_is_not_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        save_network(network(), tmp_path / "net", replace(FACTS, **change))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_diverged_or_is_not_float32_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"body\.0\.weight is torch\.float16"):
        save_network(network().half(), tmp_path / "net", FACTS)
    diverged = network()
    diverged.classifier.bias.data[1] = float("inf")
    with pytest.raises(ValueError, match=r"classifier\.bias holds values that are not finite"):
        save_network(diverged, tmp_path / "net", FACTS)


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], object]) -> None:
    """Changes the header's facts or the tensors, in a file that is whole."""
    head, state = json.loads(read_metadata(path.read_bytes())[KEY]), load_file(path)
    change(head, state)
    path.write_bytes(save(state, {KEY: json.dumps(head)}))


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, "its hash differs"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "is damaged"),
        (lambda p: p.write_bytes(p.read_bytes()[:100]), "is damaged"),
        (lambda p: p.write_bytes(b""), "is damaged"),
        (lambda p: p.write_bytes(save(network().state_dict())), "is a file of another kind"),
        (lambda p: p.write_bytes(save(network().state_dict(), {KEY: "{"})), "is damaged"),
        (lambda p: p.write_bytes(save(network().state_dict(), {KEY: "[]"})), "is a file of another kind"),
        (lambda p: rewrite(p, lambda head, _: head.update(version=2)), "has network version 2, this law-rl reads 1"),
        (lambda p: rewrite(p, lambda head, _: head.update(mean=[1.0, 2.0, 3.0])), "its hash differs"),
        (lambda p: rewrite(p, lambda head, _: head.update(mean=None)), "can build"),
        (lambda p: rewrite(p, lambda head, _: head.update(std=[1.0])), "std is"),
        (lambda p: rewrite(p, lambda head, _: head.pop("class_names")), "class_names"),
        (lambda p: rewrite(p, lambda head, _: head["network"].update(name="vgg")), "name is 'vgg'"),
        (lambda p: rewrite(p, lambda head, _: head["network"].update(heads=3)), "heads"),
        (lambda p: rewrite(p, lambda head, _: head["network"].update(width=8)), r"body\.0\.weight is"),
        (lambda p: rewrite(p, lambda _, state: state.pop("classifier.bias")), r"lack classifier\.bias"),
        (lambda p: rewrite(p, lambda _, state: state.update(x=torch.ones(1))), "hold x, which cnn has not"),
        (lambda p: rewrite(p, lambda _, state: state["classifier.bias"].add_(1)), "its hash differs"),
    ],
)
def test_damage_is_named_in_one_sentence(path: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(path)
    with pytest.raises(ValueError, match=message) as caught:
        load_network(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no network at"):
        load_network(tmp_path / "net.safetensors")


def test_the_format_stays_readable(tmp_path: Path) -> None:
    """The header of version 1 as it was first written: files of users hold it."""
    facts = NetworkFacts(
        network=NetworkConfig(width=1, depth=1), image_shape=(1, 1, 1), class_names=("a", "b"), mean=(0.0,), std=(1.0,)
    )
    save_network(network(facts), tmp_path / "net", facts)
    head = json.loads(read_metadata((tmp_path / "net").read_bytes())[KEY])
    assert len(head.pop("sha256")) == 64
    assert head == {
        "format": "law-rl network",
        "version": 1,
        "network": {"name": "mlp", "width": 1, "depth": 1, "dropout": 0.0, "embedding": 0},
        "image_shape": [1, 1, 1],
        "class_names": ["a", "b"],
        "mean": [0.0],
        "std": [1.0],
    }


def test_the_bytes_of_a_classifier_stay(tmp_path: Path) -> None:
    """As they were written before there were embedders."""
    facts = NetworkFacts(
        network=NetworkConfig(width=1, depth=1), image_shape=(1, 1, 1), class_names=("a", "b"), mean=(0.0,), std=(1.0,)
    )
    halves = build_network(facts.network, image_shape=(1, 1, 1), classes=2, seed=0)
    with torch.no_grad():
        for parameter in halves.parameters():
            parameter.fill_(0.5)
    save_network(halves, tmp_path / "net", facts)
    expected = "a691395977297df5d03e77c735dc6e8002d1ae8c4d3eb98708cb4f285bbb92c3"
    assert hashlib.sha256((tmp_path / "net").read_bytes()).hexdigest() == expected
