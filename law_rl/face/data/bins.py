"""Verification sets in .bin files (lfw.bin, cfp_fp.bin, agedb_30.bin), which are pickles: read without running any."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from law_rl.data.pickled_arrays import PickledArray
from law_rl.data.restricted_pickle import unpickle_plain
from law_rl.face.data.images import decode_faces
from law_rl.face.data.pair_set import PairSet


def read_bin(path: Path, *, size: int, channels: int, folds: int = 10) -> PairSet:
    """The pairs of a pickled (list of 2 V encoded images, list of V truths); pair i is images 2 i and 2 i + 1.

    Images that the file repeats are decoded once. The folds are blocks in the order of the pairs, as equal as can be,
    the larger first (scikit-learn's KFold without shuffling). Raises FileNotFoundError for a missing file; ValueError
    for an image that cannot be read, and for a pickle of anything else, of which nothing is executed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"The verification set {path} does not exist: give the path of a .bin file")
    try:
        pictures, same = _lists(unpickle_plain(path.read_bytes()))
    except ValueError as error:
        raise ValueError(f"{path} is no verification set ({error}): copy it again from where you trust it") from error
    if not 1 <= folds <= len(same):
        raise ValueError(f"folds is {folds}: give a number from 1 to {len(same)}, the pairs of {path}")
    first: dict[bytes, int] = {}
    for position, picture in enumerate(pictures):
        first.setdefault(picture, position)
    distinct = list(first.items())
    numbers = {picture: number for number, picture in enumerate(first)}

    def content(index: int) -> tuple[bytes, str]:
        picture, position = distinct[index]
        return picture, f"{position} of {path}"

    blocks = [len(block) for block in np.array_split(np.arange(len(same)), folds)]
    return PairSet(
        images=decode_faces(len(distinct), content, size=size, channels=channels),
        pairs=torch.tensor([numbers[picture] for picture in pictures]).view(-1, 2),
        same=torch.tensor(same),
        fold=torch.repeat_interleave(torch.arange(folds), torch.tensor(blocks)),
    )


def _lists(content: Any) -> tuple[list[bytes], list[bool]]:
    """The encoded images and the truths of what was pickled."""
    if not isinstance(content, tuple | list) or len(content) != 2:
        raise ValueError("it holds something else than a list of images and a list of truths")
    pictures, truths = (_sequence(part) for part in content)
    if len(pictures) != 2 * len(truths) or not truths:
        raise ValueError(f"it holds {len(pictures)} images and {len(truths)} truths in place of two for each")
    if not all(isinstance(truth, bool | int) and truth in (0, 1) for truth in truths):
        raise ValueError("it holds truths that are neither true nor false")
    return [_encoded(picture) for picture in pictures], [bool(truth) for truth in truths]


def _sequence(part: Any) -> Sequence[Any]:
    if isinstance(part, PickledArray):
        return part.values.ravel().tolist()
    if not isinstance(part, tuple | list):
        raise ValueError(f"it holds a {type(part).__name__} in place of a list")
    return part


def _encoded(picture: Any) -> bytes:
    if isinstance(picture, PickledArray):
        return picture.values.tobytes()
    if not isinstance(picture, bytes | bytearray):
        raise ValueError(f"it holds a {type(picture).__name__} in place of an encoded image")
    return bytes(picture)
