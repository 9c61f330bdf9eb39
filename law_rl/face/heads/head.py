"""What all margin heads share: what they take, what they give, and which input they refuse."""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn


class Head(nn.Module, ABC):
    """From plain cosines to margin cosines, for training only: the caller multiplies them with its scale.

    Takes cosines float32 [B, C] between B embeddings and C identities, targets int64 [B], each below C, and the
    lengths float32 [B] of the embeddings; float64 cosines are computed in float64. Gives float32 [B, C]. Raises
    ValueError for other shapes and dtypes. Values are not looked at, so that no device is waited for.
    """

    def __call__(self, cosines: Tensor, targets: Tensor, norms: Tensor) -> Tensor:
        return cast(Tensor, super().__call__(cosines, targets, norms))

    def forward(self, cosines: Tensor, targets: Tensor, norms: Tensor) -> Tensor:
        _check_batch(cosines, targets, norms)
        return self.margin_cosines(cosines, targets[:, None], norms)

    @abstractmethod
    def margin_cosines(self, cosines: Tensor, columns: Tensor, norms: Tensor) -> Tensor:
        """Margin cosines [B, C] of checked input; `columns` int64 [B, 1] is each sample's own identity."""


def _check_batch(cosines: Tensor, targets: Tensor, norms: Tensor) -> None:
    if cosines.ndim != 2 or 0 in cosines.shape:
        raise ValueError(f"cosines have shape {tuple(cosines.shape)}: give [B, C], at least one sample and identity")
    if cosines.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"cosines are {cosines.dtype}: give float32, margins lose too much in half")
    if targets.shape != cosines.shape[:1] or targets.dtype != torch.int64:
        raise ValueError(
            f"targets are {targets.dtype} {tuple(targets.shape)}: give int64 [{len(cosines)}], an identity per sample"
        )
    if norms.shape != cosines.shape[:1]:
        raise ValueError(f"norms have shape {tuple(norms.shape)}: give [{len(cosines)}], a length per sample")
