"""CIFAR as packs of lossless WebP strips: columns of images below one another, in .npz files."""

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from law_rl.data.cifar_official import Pair

PACKS = {
    "cifar10": (("cifar10_train_0.npz", "cifar10_train_1.npz"), ("cifar10_test.npz",)),
    "cifar100": (("cifar100_core_train.npz",), ("cifar100_core_test.npz",)),
}


def read_packs(name: str, root: Path) -> tuple[Pair, Pair] | None:
    """The training and the test part of `root`/`name`; None where its first file is missing.

    The CIFAR-10 pack is complete and in the official order; CIFAR-100's is a part of it in an order of its own.
    """
    train, test = PACKS[name]
    if not (root / name / train[0]).is_file():
        return None
    return _read_parts(root / name, train), _read_parts(root / name, test)


def _read_parts(folder: Path, names: Sequence[str]) -> Pair:
    pairs = [read_pack(folder / name) for name in names]
    return np.concatenate([images for images, _ in pairs]), np.concatenate([labels for _, labels in pairs])


def read_pack(path: Path) -> Pair:
    """One file: the blob `strips` cut at `offsets` into pictures of 32 x 32 images one below the other, labels `y`."""
    with np.load(path, allow_pickle=False) as arrays:
        blob, offsets, labels = arrays["strips"].tobytes(), arrays["offsets"].tolist(), arrays["y"]
    strips = [_decode_strip(blob[start:end]) for start, end in itertools.pairwise(offsets)]
    return np.concatenate(strips).transpose(0, 3, 1, 2), labels.astype(np.int64)


def _decode_strip(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as strip:
        return np.asarray(strip.convert("RGB")).reshape(-1, 32, 32, 3)
