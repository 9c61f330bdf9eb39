"""A verification list: which pairs of images to compare, and which of them show one person."""

from dataclasses import dataclass, replace
from typing import Self

import torch

from law_rl.face.data.images import check_images


@dataclass(frozen=True, kw_only=True, eq=False)
class PairSet:
    """`images` uint8 [N, C, S, S]; `pairs` int64 [V, 2], indices of images; `same` bool [V]; `fold` int64 [V] from 0.

    Raises ValueError for other shapes or types, no pairs, or a pair of images that are not there.
    """

    images: torch.Tensor
    pairs: torch.Tensor
    same: torch.Tensor
    fold: torch.Tensor

    def __post_init__(self) -> None:
        check_images("PairSet.images", self.images)
        if self.pairs.dtype != torch.int64 or self.pairs.ndim != 2 or self.pairs.shape[1] != 2 or not len(self.pairs):
            raise ValueError(f"PairSet.pairs is {_described(self.pairs)}: give at least one pair as int64 [V, 2]")
        for name, dtype in (("same", torch.bool), ("fold", torch.int64)):
            values = getattr(self, name)
            if values.dtype != dtype or values.shape != self.pairs.shape[:1]:
                raise ValueError(
                    f"PairSet.{name} is {_described(values)}: give {dtype} [{len(self.pairs)}], one for each pair"
                )
        lowest, highest = int(self.pairs.min()), int(self.pairs.max())
        if lowest < 0 or highest >= len(self.images):
            wrong = lowest if lowest < 0 else highest
            raise ValueError(f"PairSet.pairs names image {wrong}: give indices below {len(self.images)}, from 0")
        if int(self.fold.min()) < 0:
            raise ValueError(f"PairSet.fold has {int(self.fold.min())}: number the folds from 0")

    def to(self, device: torch.device | str) -> Self:
        """The same pairs on `device`; tensors that are there already are shared."""
        moved = {name: getattr(self, name).to(device) for name in ("images", "pairs", "same", "fold")}
        return replace(self, **moved)


def _described(values: torch.Tensor) -> str:
    return f"{values.dtype} {tuple(values.shape)}"
