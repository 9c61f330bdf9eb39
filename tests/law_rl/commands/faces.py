"""Drawn faces in folders and networks that were never trained, for the tests of commands that use them."""

import io
from pathlib import Path

import torch
from PIL import Image

from law_rl.classification.network_file import NetworkFacts, save_network
from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.face.data.synthetic import SyntheticConfig, synthetic_faces

SIZE = 16


def drawings(persons: int, images: int, size: int = SIZE) -> torch.Tensor:
    """uint8 [persons, images, size, size]."""
    faces, _ = synthetic_faces(SyntheticConfig(identities=persons, per_identity=images, size=size))
    return faces.view(persons, images, size, size)


def write_folders(root: Path, persons: int, images: int, size: int = SIZE) -> Path:
    """The drawings as `root`/ann0/0.png and so on."""
    for person, faces in enumerate(drawings(persons, images, size)):
        folder = root / f"ann{person}"
        folder.mkdir(parents=True)
        for number, face in enumerate(faces):
            Image.fromarray(face.numpy()).save(folder / f"{number}.png")
    return root


def png(face: torch.Tensor) -> bytes:
    """An image uint8 [size, size], encoded."""
    buffer = io.BytesIO()
    Image.fromarray(face.numpy()).save(buffer, "PNG")
    return buffer.getvalue()


def write_network(path: Path, *, channels: int = 1, size: int = SIZE, seed: int = 0) -> Path:
    """An embedder of width 8 whose normalisation has seen some drawings."""
    config = NetworkConfig(name="face_cnn", width=2, embedding=8, classifier="cosine", scale=16.0)
    facts = NetworkFacts(
        network=config,
        image_shape=(channels, size, size),
        class_names=(),
        mean=(128.0,) * channels,
        std=(64.0,) * channels,
    )
    network = build_network(config, image_shape=facts.image_shape, classes=2, seed=seed)
    inputs = (drawings(20, 2, size).view(-1, 1, size, size).expand(-1, channels, -1, -1) - 128.0) / 64.0
    with torch.no_grad():
        for _ in range(30):
            network(inputs)
    save_network(network, path, facts)
    return path
