"""What is known of each face's nearest other identities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighbourStatistics:
    """Of N faces each, over its support set, the candidates c of other identities that are nearest to it.

    `mean` and `std` float32 [N] of the cosines s(a, c), the std of the population, `evidence` float32 [N], which is
    log sum_c exp(gamma s(a, c)), and `count` int64 [N], the size of the set. Raises ValueError for shapes that differ.
    """

    mean: Tensor
    std: Tensor
    evidence: Tensor
    count: Tensor

    def __post_init__(self) -> None:
        shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors().items()}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"statistics have the shapes {shapes}: give one number of each kind for each face.")

    def __len__(self) -> int:
        return len(self.mean)

    def tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def at(self, indices: Tensor | slice) -> Self:
        """The statistics of the faces at `indices`, int64 of any shape or a slice."""
        return self._each(lambda tensor: tensor[indices])

    def as_column(self) -> Self:
        """The same as [N, 1]: for the rows of a table of scores [N, M] whose columns have statistics [M]."""
        return self._each(lambda tensor: tensor[:, None])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The statistics of the faces of all parts, in order."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(**{name: change(tensor) for name, tensor in self.tensors().items()})
