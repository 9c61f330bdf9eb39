"""Mining: which other identities are hard to tell from each one, by the teacher's prototypes."""

import torch
from torch import Tensor

from law_rl.distillation.vectors import unit
from law_rl.face.nearest import nearest


def hardest_identities(prototypes: Tensor, count: int) -> Tensor:
    """int64 [C, count]: for each of the C identities the others of the largest cosine, largest first.

    `prototypes` [C, D] of any length, taken in float32; equal cosines come in the order of the identities, and a
    prototype without a direction has the cosine 0 with all. Exact, and never C x C in memory: see `nearest`. Raises
    ValueError for other shapes, numbers that are not finite, and a count that is not from 1 to C - 1.

    Source: CoupleFace, arXiv 2204.05502, mines relations to the nearest identities once, before the training; from
    what its abstract says, our reading, as the equations were not available.
    """
    if not 1 <= count < len(prototypes):
        raise ValueError(
            f"count is {count} and there are {len(prototypes)} prototypes: ask for at least 1 other identity and at "
            f"most {len(prototypes) - 1}."
        )
    if not prototypes.isfinite().all():
        raise ValueError("prototypes holds numbers that are not finite: mine with a teacher that has not diverged.")
    directions = unit(prototypes.detach().float())
    found = nearest(directions, [directions], count + 1).indices
    others = found != torch.arange(len(found), device=found.device)[:, None]
    others[:, -1] &= ~others.all(1)  # where equal ones crowd out the identity itself, the last is one too many
    return found[others].view(len(found), count)
