"""A data set as it is published: its training and test part, before anything is held out."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Labels int64 [N] in the official order, and a function from indices int64 [M] to uint8 images [M, C, H, W]."""

    targets: torch.Tensor
    images: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class OfficialParts:
    """What a reader returns: the class names in label order, the training part and the test part."""

    class_names: tuple[str, ...]
    train: Part
    test: Part
