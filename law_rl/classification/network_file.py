"""A trained network as one safetensors file: its weights, and in the header what is needed to use them."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from law_rl.classification.networks import Classifier, NetworkConfig, build_network
from law_rl.data.training_data import TrainingData
from law_rl.files import read_metadata, write_atomic

KEY = "law_rl"
"""The entry of a file's metadata that holds the facts, as JSON. The only entry: several would come in any order."""

FORMAT, VERSION = "law-rl network", 1


@dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """What is needed to use a network's weights: its configuration, its images, its classes.

    `image_shape` is (C, H, W); `mean` and `std` are per channel, in units of images from 0 to 255. Without
    `class_names` the network is an embedder: what is put out has no classifier, and so says nothing of its classes.
    """

    network: NetworkConfig
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        shape, names = self.image_shape, self.class_names
        if len(shape) != 3 or not all(type(size) is int and size >= 1 for size in shape):
            raise ValueError(f"image_shape is {shape}: give (channels, height, width), each at least 1")
        if len(names) == 1 or not all(type(name) is str for name in names):
            raise ValueError(f"class_names is {names}: give the names of at least 2 classes, or none for an embedder")
        for field in ("mean", "std"):
            values = getattr(self, field)
            if len(values) != shape[0] or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
                raise ValueError(f"{field} is {values}: give a finite number for each of {shape[0]} channels")
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std is {self.std}: give deviations above 0, they divide the images")

    @classmethod
    def of(cls, network: NetworkConfig, dataset: TrainingData) -> Self:
        """The facts of a network that was trained on `dataset`."""
        return cls(
            network=network,
            image_shape=dataset.image_shape,
            class_names=dataset.class_names,
            mean=dataset.mean,
            std=dataset.std,
        )

    @classmethod
    def of_embedder(cls, network: NetworkConfig, dataset: TrainingData) -> Self:
        """The facts of such a network without its classes, which may be persons."""
        return replace(cls.of(network, dataset), class_names=())

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        facts: dict[str, Any] = json.loads(json.dumps({**asdict(self), "network": self.network.to_json()}))
        return facts

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """The facts that `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        tuples = {field.name: tuple(entry[field.name]) for field in fields(cls) if field.name != "network"}
        return cls(network=NetworkConfig(**entry["network"]), **tuples)


def save_network(network: nn.Module, path: Path, facts: NetworkFacts, *, private: bool = False) -> None:
    """Writes the network's weights, under their names in its state dict, and the facts; whole or not at all.

    The network is left as it is, on whatever device. Of an embedder the classifier is left out. Equal networks give
    equal bytes. `private` is as in `write_atomic`. Raises TypeError for what is no Classifier, ValueError where the
    weights are not those of `facts.network`, or not finite.
    """
    state = plain_copy(network, facts).state_dict()
    head = {"format": FORMAT, "version": VERSION, "sha256": _digest(facts, state), **facts.to_json()}
    write_atomic(path, save_tensors(state, {KEY: json.dumps(head)}), private=private)


def load_network(path: str | Path) -> tuple[Classifier, NetworkFacts]:
    """The network of a file of `save_network`, on the CPU in evaluation mode, and its facts.

    It takes images that are normalised: `normalise(images, facts.mean, facts.std)`. An embedder's classifier is the
    identity, so that its outputs are embeddings. Raises FileNotFoundError where there is no file, and ValueError, one
    sentence, for a truncated, foreign, newer or changed one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no network at {path}: give the path of a .safetensors file of an export")
    content = path.read_bytes()
    try:
        state = load_tensors(content)
        head = json.loads(read_metadata(content).get(KEY, "null"))
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}): restore a copy") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"{path} is a file of another kind: give a .safetensors file of an export")
    if head.get("version") != VERSION:
        raise ValueError(
            f"{path} has network version {head.get('version')}, this law-rl reads {VERSION}: upgrade law-rl"
        )
    try:
        facts = NetworkFacts.from_json(head)
        network = _network(facts, state)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no network that this law-rl can build ({error}): restore a copy") from error
    if head.get("sha256") != _digest(facts, state):
        raise ValueError(f"{path} was changed after it was written, its hash differs: restore a copy")
    return network, facts


def network_hash(network: nn.Module, facts: NetworkFacts) -> str:
    """Hexadecimal sha256 over the facts and the weights of a network on the CPU; it stands in the network's file."""
    return _digest(facts, network.state_dict())


def plain_copy(network: nn.Module, facts: NetworkFacts) -> Classifier:
    """A copy of the network on the CPU in evaluation mode, once it is checked against the facts.

    Of an embedder it has no classifier.

    Raises TypeError for what is no Classifier, ValueError where the weights do not fit, or are not finite.
    """
    if not isinstance(network, Classifier):
        raise TypeError(
            f"the network is a {type(network).__name__}: give the Classifier itself, without the wrapper of "
            "torch.compile or of data-parallel training"
        )
    state = network.state_dict()
    if not facts.class_names:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    return _network(facts, state)


def _network(facts: NetworkFacts, state: Mapping[str, torch.Tensor]) -> Classifier:
    """The network of the facts with the weights of `state`."""
    classes = len(facts.class_names)
    network = build_network(facts.network, image_shape=facts.image_shape, classes=max(classes, 2), seed=0)
    if not classes:
        network.classifier = nn.Identity()  # type: ignore[assignment]
    expected, name = network.state_dict(), facts.network.name
    if missing := [key for key in expected if key not in state]:
        raise ValueError(f"the weights lack {missing[0]}, which {name} has")
    if surplus := [key for key in state if key not in expected]:
        raise ValueError(f"the weights hold {surplus[0]}, which {name} has not")
    for key, like in expected.items():
        tensor = state[key]
        found, wanted = (f"{t.dtype} {tuple(t.shape)}" for t in (tensor, like))
        if found != wanted:
            raise ValueError(f"{key} is {found}, and {name} for these images and classes has {wanted}")
        if not tensor.isfinite().all():
            raise ValueError(f"{key} holds values that are not finite, so the training has diverged")
    network.load_state_dict(state)
    return network.eval()


def _digest(facts: NetworkFacts, state: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(facts.to_json(), sort_keys=True).encode())
    for name in sorted(state):
        tensor = state[name]
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
