"""Networks of files at work."""

from pathlib import Path

import pytest
import torch

from law_rl.classification.network_file import NetworkFacts, load_network, save_network
from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.data.dataset import normalise
from law_rl.face.embedder import Embedder
from tests.law_rl.commands.faces import SIZE, drawings, write_network

IMAGES = drawings(3, 2).view(6, 1, SIZE, SIZE)


def test_embeddings_are_those_of_the_network(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net")
    network, facts = load_network(path)
    embedder = Embedder.load(path)
    inputs = normalise(IMAGES, facts.mean, facts.std)
    with torch.no_grad():
        wanted, mirrored = network.embed(inputs), network.embed(inputs.flip(-1))
    assert torch.equal(embedder(IMAGES), wanted)
    assert torch.equal(Embedder.load(path, mirrored=True)(IMAGES), wanted + mirrored)
    assert (embedder.size, embedder.channels, embedder.width) == (SIZE, 1, 8)
    assert not torch.equal(wanted, mirrored)
    torch.testing.assert_close(embedder(IMAGES[:1]), wanted[:1], rtol=1e-4, atol=1e-5)


def test_the_hash_tells_networks_apart(tmp_path: Path) -> None:
    one, two, again = (write_network(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 1), ("c", 0)))
    assert Embedder.load(one).hash == Embedder.load(again).hash != Embedder.load(two).hash


def test_a_classifier_embeds_too(tmp_path: Path) -> None:
    config = NetworkConfig(name="cnn", width=2, embedding=5)
    facts = NetworkFacts(network=config, image_shape=(1, SIZE, SIZE), class_names=("a", "b"), mean=(9.0,), std=(2.0,))
    network = build_network(config, image_shape=facts.image_shape, classes=2, seed=0)
    save_network(network, tmp_path / "net", facts)
    assert Embedder.load(tmp_path / "net")(IMAGES).shape == (6, 5)


@pytest.mark.parametrize("shape", [(1, 8, 6), (2, 8, 8)])
def test_networks_of_other_images_are_refused(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    config = NetworkConfig(width=2, depth=1)
    ones = (1.0,) * shape[0]
    facts = NetworkFacts(network=config, image_shape=shape, class_names=("a", "b"), mean=ones, std=ones)
    save_network(build_network(config, image_shape=shape, classes=2, seed=0), tmp_path / "net", facts)
    with pytest.raises(ValueError, match=r"net takes images \(\d, 8, \d\): give a network of faces, square"):
        Embedder.load(tmp_path / "net")


@pytest.mark.gpu
def test_a_gpu_embeds_alike(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    path = write_network(tmp_path / "net")
    here, there = Embedder.load(path), Embedder.load(path, "cuda")
    assert there(IMAGES).is_cuda
    torch.testing.assert_close(there(IMAGES).cpu(), here(IMAGES), rtol=1e-2, atol=1e-2)
