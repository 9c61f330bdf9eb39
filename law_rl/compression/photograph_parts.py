"""Photographs in three parts, to train on, to validate and to test, of which no two share a pixel."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from law_rl.compression.photograph_files import bsds_folder, read_photographs, sample_photographs
from law_rl.counters import torch_generator

Source = Literal["samples", "bsds"]
"""The two photographs that scikit-learn carries, or BSDS500's 200 training photographs."""

Image = NDArray[np.uint8]


def check_source(name: str) -> None:
    """ValueError for a name that is no source."""
    if name not in get_args(Source):
        raise ValueError(f"name is {name!r}: use samples, which need no file, or bsds")


def photograph_parts(name: Source, root: str) -> tuple[list[Image], ...]:
    """The photographs uint8 [H, W, 3] of each part.

    Of "samples" the left three fifths are trained on, the next fifth validates and the last one tests; of "bsds",
    below `root` or in the usual places, three fifths are trained on, 40 validate and 40 test. FileNotFoundError where
    they are missing.
    """
    files = sample_photographs() if name == "samples" else read_photographs([bsds_folder(root)])
    images = [*files.train, *files.validation]
    return _strips(images) if name == "samples" else _apart(images)


def _strips(images: Sequence[Image]) -> tuple[list[Image], ...]:
    """Three upright strips of each image, three, one and one fifth of its width."""
    thirds = [np.split(image, [image.shape[1] * fifths // 5 for fifths in (3, 4)], axis=1) for image in images]
    return tuple(list(part) for part in zip(*thirds, strict=True))


def _apart(images: Sequence[Image]) -> tuple[list[Image], ...]:
    """The images in an order drawn once, three, one and one fifth of them."""
    order = torch.randperm(len(images), generator=torch_generator(0, "photographs apart")).tolist()
    first, second = (len(images) * fifths // 5 for fifths in (3, 4))
    return tuple([images[i] for i in part] for part in (order[:first], order[first:second], order[second:]))
