"""A teacher's route from a folder of plain PyTorch checkpoints."""

import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from law_rl.distillation.route import INDEX, Anchor, Route, State, new_route, save_anchor, unwrapped

SUFFIXES = (".pt", ".pth", ".ckpt", ".tar")
STATES = ("state_dict", "model", "model_state_dict")


def import_route(source: Path, directory: Path, *, network: Mapping[str, Any], data: str, half: bool = False) -> Route:
    """Turns the checkpoints in `source` (.pt, .pth, .ckpt, .tar; see `read_checkpoint`) into a route in `directory`.

    `network` and `data` say what they are checkpoints of; accuracies stay unknown. Raises ValueError, with one sentence
    that names the file, for what cannot be read, has no epoch, or does not fit the others; nothing is an index before
    all are in.
    """
    if (directory / INDEX).exists():
        raise ValueError(f"{directory} already holds a route: give a new folder")
    files = sorted(path for path in source.iterdir() if path.suffix in SUFFIXES) if source.is_dir() else []
    if not files:
        raise ValueError(f"{source} holds no checkpoints: give a folder of {', '.join(SUFFIXES)} files")
    sources: dict[int, Path] = {}
    anchors: list[Anchor] = []
    for path, epoch, state in _checkpoints(files):
        if epoch in sources:
            raise ValueError(f"{path} and {sources[epoch].name} are both of epoch {epoch}: take one of them away")
        sources[epoch] = path
        anchors.append(save_anchor(directory, epoch, state, None, half=half))
    anchors.sort(key=lambda anchor: anchor.epoch)
    route = replace(new_route(directory, network, data), anchors=tuple(anchors))
    route.write_index()
    return route


def _checkpoints(files: list[Path]) -> Iterator[tuple[Path, int, State]]:
    """Each file with its epoch and state, one in memory at a time, once its shapes are those of the first."""
    first: dict[str, torch.Size] = {}
    for path in files:
        epoch, state = read_checkpoint(path)
        shapes = {name: tensor.shape for name, tensor in state.items()}
        first = first or shapes
        if shapes != first:
            name = next(name for name in {**first, **shapes} if shapes.get(name) != first.get(name))
            raise ValueError(
                f"{path} is of another network than {files[0].name} ({name} differs): keep the checkpoints of one"
            )
        yield path, epoch, state


def read_checkpoint(path: Path) -> tuple[int, State]:
    """The epoch and the state of one checkpoint, read with weights_only=True.

    The file holds a state dict, or a table with one under "state_dict", "model" or "model_state_dict". The epoch is the
    number after "epoch" in the file name, else the table's "epoch", else the number at the end of the file name.
    """
    content = _load(path)
    found = next((content[key] for key in STATES if isinstance(content.get(key), Mapping)), content)
    odd = next((name for name, value in found.items() if not isinstance(value, torch.Tensor)), None)
    if odd is not None or not found:
        raise ValueError(
            f"{path} holds no state dict of tensors ({odd!r} is none): put it under one of {', '.join(STATES)}"
        )
    return _epoch(path, content), unwrapped(found)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is damaged or holds more than tensors and plain values, which is not safe to load: "
            "save the model's state_dict() alone"
        ) from error
    except Exception as error:  # what a damaged file makes the reader raise depends on where the damage is
        raise ValueError(f"{path} is damaged or not a PyTorch checkpoint: restore a copy") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}: save the model's state_dict()")
    return content


def _epoch(path: Path, content: Mapping[str, Any]) -> int:
    stem = re.sub(r"(\.(pt|pth|ckpt|tar))+$", "", path.name)
    named = re.findall(r"epoch[-_=]?(\d+)", stem, flags=re.IGNORECASE)
    if named:
        return int(named[-1])
    if isinstance(content.get("epoch"), int):
        return int(content["epoch"])
    last = re.search(r"(?:^|[-_=])(\d+)$", stem)
    if last is None:
        raise ValueError(f'{path} does not say its epoch: name it like epoch_12.pt, or store it under "epoch"')
    return int(last[1])
