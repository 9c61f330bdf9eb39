"""Trains a generator of faces from first to last iteration; killed at any moment, it goes on with the same bits."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from law_rl.face.ida.gan import GanConfig, GanTraining
from law_rl.face.ida.generator import FaceGenerator
from law_rl.files import read_metadata, write_atomic

Observer = Callable[[int, int], None]
"""Called with the iterations done and those in all."""

EVERY = 100
"""Iterations between two snapshots."""

_KEY = "law_rl"


def train_generator(
    images: Tensor, config: GanConfig, *, seed: int, path: Path | None = None, observer: Observer | None = None
) -> FaceGenerator:
    """A generator of faces like `images` uint8 [N, C, S, S], trained on their device, in evaluation mode.

    With `path` snapshots are written there, the owner's alone to read and write, as they are made from faces; called
    again with the same arguments, it goes on from the last one, or has nothing left to do. Raises ValueError, one
    sentence, for images of another shape, a training that diverges, and a snapshot that is damaged or of another
    training.
    """
    training = GanTraining(images, config, seed=seed)
    origin = _origin(training) if path is not None else ""
    if path is not None and path.exists():
        training.restore(_read(path, origin))
    while training.iteration < config.iterations:
        for _ in range(min(EVERY, config.iterations - training.iteration)):
            losses = training.step()
        _check(training, losses)
        if path is not None:
            _write(path, origin, training.snapshot())
        if observer is not None:
            observer(training.iteration, config.iterations)
    return training.average.eval()


def _check(training: GanTraining, losses: Tensor) -> None:
    if not losses.isfinite().all():
        raise ValueError(
            f"the loss is not finite by iteration {training.iteration} of the generator's training: lower lr, now "
            f"{training.config.lr}"
        )


def _origin(training: GanTraining) -> str:
    """What a training's weights depend on, but for the device and the versions of law-rl and torch."""
    images = hashlib.sha256(training.images.cpu().contiguous().numpy().data).hexdigest()
    return json.dumps({"config": asdict(training.config), "seed": training.seed, "images": images})


def _write(path: Path, origin: str, snapshot: Mapping[str, Any]) -> None:
    tensors = {name: tensor.cpu().contiguous() for name, tensor in _flat(snapshot)}
    write_atomic(path, save_tensors(tensors, {_KEY: origin}), private=True)


def _read(path: Path, origin: str) -> dict[str, Any]:
    content = path.read_bytes()
    try:
        found, tensors = read_metadata(content)[_KEY], load_tensors(content)
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or no snapshot of a generator ({error}): delete it") from error
    if found != origin:
        raise ValueError(f"{path} is of another training of a generator: give the path of a new file, or delete it")
    return _nested(tensors)


def _flat(tree: Mapping[Any, Any], parents: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested mappings by their path."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{parents}{name}/")
        else:
            yield f"{parents}{name}", value


def _nested(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, tensor in tensors.items():
        *parents, name = path.split("/")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = tensor
    return tree
