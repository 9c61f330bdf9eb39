"""The file of a fitted aligner: safetensors with its parameters as JSON in the header, and no pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from law_rl.files import read_metadata, write_atomic

KEY = "law_rl"
FORMAT, VERSION = "law-rl score aligner", 1
IDENTITIES, PREFIX = "identities", "estimator."


def write_aligner(
    path: Path, params: Mapping[str, Any], estimator: Mapping[str, Tensor], identities: Tensor | None
) -> None:
    """Writes the file whole or not at all, for its owner alone: parameters, the estimator's tensors, and identities
    int64 [M] of the references.
    """
    tensors = {PREFIX + name: tensor for name, tensor in estimator.items()}
    if identities is not None:
        tensors[IDENTITIES] = identities
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    head = json.dumps({"format": FORMAT, "version": VERSION, "params": dict(params)})
    write_atomic(path, save(plain, {KEY: head}), private=True)


def read_aligner(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], Tensor | None]:
    """What `write_aligner` wrote: the parameters, the estimator's tensors and the identities.

    Raises FileNotFoundError where there is no file, and ValueError for a damaged, foreign or newer one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no aligner at {path}: give the path of one that was saved")
    content = path.read_bytes()
    try:
        tensors = load(content)
        head = json.loads(read_metadata(content).get(KEY, "null"))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}): restore a copy") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT or not isinstance(head.get("params"), dict):
        raise ValueError(f"{path} is a file of another kind: give one that a score aligner was saved to")
    if head.get("version") != VERSION:
        raise ValueError(f"{path} has aligner version {head.get('version')}, this law-rl reads {VERSION}: upgrade")
    identities = tensors.pop(IDENTITIES, None)
    if identities is not None and (identities.dtype != torch.int64 or identities.ndim != 1):
        raise ValueError(
            f"{path} is damaged, its identities are {identities.dtype} {tuple(identities.shape)}: restore a copy"
        )
    return head["params"], {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}, identities
