"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), from whichever of their forms is on disk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from law_rl.data.cifar_names import CLASS_NAMES
from law_rl.data.cifar_official import RELEASES, Pair, read_release
from law_rl.data.cifar_packs import PACKS, read_packs
from law_rl.data.official import OfficialParts, Part


def read_cifar(name: str, places: Sequence[Path]) -> OfficialParts:
    """Images uint8 [N, 3, 32, 32] of "cifar10" or "cifar100" (fine labels), from the first place that has them.

    Each place is searched for the official python and binary version, `name`.npz and a WebP pack, in this order.
    Raises FileNotFoundError where no place has any, ValueError for a file that is damaged.
    """
    for root in places:
        parts = _read_root(name, root)
        if parts is not None:
            train, test = parts
            return OfficialParts(class_names=CLASS_NAMES[name], train=_part(name, train), test=_part(name, test))
    raise FileNotFoundError(_missing(name, places))


def _read_root(name: str, root: Path) -> tuple[Pair, Pair] | None:
    for release in RELEASES[name]:
        parts = read_release(release, root)
        if parts is not None:
            return parts
    return _read_npz(root / f"{name}.npz") or read_packs(name, root)


def _read_npz(path: Path) -> tuple[Pair, Pair] | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        missing = {"train_x", "train_y", "test_x", "test_y"} - set(arrays.files)
        if missing:
            raise ValueError(f"{path} lacks the array {min(missing)}: write train_x, train_y, test_x and test_y.")
        train, test = ((arrays[f"{part}_x"], arrays[f"{part}_y"].astype(np.int64)) for part in ("train", "test"))
    return (_channels_first(train[0]), train[1]), (_channels_first(test[0]), test[1])


def _channels_first(images: np.ndarray) -> np.ndarray:
    return images.transpose(0, 3, 1, 2) if images.shape[1:] == (32, 32, 3) else images


def _part(name: str, pair: Pair) -> Part:
    images, labels = pair
    classes = len(CLASS_NAMES[name])
    if images.dtype != np.uint8 or images.shape != (len(labels), 3, 32, 32) or not len(labels):
        raise ValueError(
            f"The files of {name} hold {len(labels)} labels and images {images.dtype} {images.shape} in place of "
            "uint8 images of 3 x 32 x 32, one per label: write them again."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"The files of {name} hold labels outside 0..{classes - 1}: write them again.")
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    return Part(targets=torch.from_numpy(labels), images=tensor.__getitem__)


def _missing(name: str, places: Sequence[Path]) -> str:
    forms = [form for release in RELEASES[name] for form in (f"{release.directory}/", release.archive)]
    forms += [f"{name}.npz", f"{name}/{PACKS[name][0][0]}"]
    return (
        f"{name} was not found: looked for {', '.join(forms)} in {', '.join(str(place) for place in places)}; put "
        f"https://www.cs.toronto.edu/~kriz/{RELEASES[name][0].archive} there, or set DataConfig.root or the "
        "environment variable LAW_RL_DATA to the folder that holds one of them."
    )
