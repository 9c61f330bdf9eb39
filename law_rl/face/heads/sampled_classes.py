"""A step that compares with a sample of the identities, for data sets of very many."""

import torch
from torch import Tensor


def sample_classes(targets: Tensor, classes: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(kept, positions): the classes of a batch and random others, and where in them each target is.

    From targets int64 [B], each below `classes`: kept int64 [M], ascending, and positions int64 [B], so that
    kept[positions] = targets. M is `share` of the classes, rounded, or min(B, classes) where that is more: a number
    that does not depend on values, so that no device is waited for. The others are drawn without replacement, all
    alike, from the generator, which must be on the device of the targets. Raises ValueError for other shapes and
    dtypes, and for settings out of range.

    Source: Partial FC, An et al., arXiv 2010.05222 and 2203.15565; our reading.
    """
    if targets.ndim != 1 or targets.dtype != torch.int64 or len(targets) == 0:
        raise ValueError(f"targets are {targets.dtype} {tuple(targets.shape)}: give int64 [B] of at least one sample")
    if classes < 1:
        raise ValueError(f"classes is {classes}: give at least 1")
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: give the share of classes in (0, 1]")
    count = max(round(share * classes), min(len(targets), classes))
    scores = torch.rand(classes, generator=generator, device=targets.device, dtype=torch.float64)
    kept = scores.index_fill_(0, targets, 2.0).topk(count, sorted=False).indices.sort().values
    return kept, torch.searchsorted(kept, targets)
