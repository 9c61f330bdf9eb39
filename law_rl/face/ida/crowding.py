"""How crowded a face's neighbourhood is, as a feature of training samples."""

import torch
from torch import Tensor

from law_rl.face.ida.support import SupportConfig, support_statistics

NEIGHBOURS = 20
"""So many identities make a neighbourhood, or all others where there are fewer."""


def crowding(embeddings: Tensor, identities: Tensor, prototypes: Tensor) -> Tensor:
    """float32 [N]: the mean cosine of embeddings [N, D] to the NEIGHBOURS most alike prototypes [C, D] of others.

    `identities` int64 [N] say which prototype is an embedding's own. All are of one network: in training, of the
    converged teacher. Computed once for a training set. Raises ValueError for shapes that do not fit and fewer than
    two prototypes. Source: the statistic of IDA (arXiv 2103.01559) with identities for candidates; our reading.
    """
    if len(prototypes) < 2:
        raise ValueError(f"prototypes are {tuple(prototypes.shape)}: give at least two identities, to have neighbours")
    others = torch.arange(len(prototypes), device=prototypes.device)
    config = SupportConfig(count=min(NEIGHBOURS, len(prototypes) - 1))
    return support_statistics(embeddings, prototypes, config, identities=identities, candidate_identities=others).mean
