"""Partners of an identity that are not mined: the control to the hardest ones."""

import torch
from torch import Tensor

from law_rl.counters import torch_generator


def check_count(count: int, identities: int) -> None:
    """ValueError where an identity cannot have `count` different partners among the others."""
    if identities < 2:
        raise ValueError(f"there is {identities} identity: give at least 2, as partners are other identities")
    if count >= identities:
        raise ValueError(
            f"count is {count}, and an identity has {identities - 1} others: give at most {identities - 1}"
        )


def random_partners(identities: int, count: int, seed: int) -> Tensor:
    """For each identity `count` different others, every choice equally likely, int64 [identities, count].

    Drawn on the CPU from (seed, "partners") by Floyd's algorithm (Bentley and Floyd, 1987), all rows at once. Raises
    ValueError for more partners than there are others.
    """
    check_count(count, identities)
    generator = torch_generator(seed, "partners")
    chosen = torch.empty((identities, 0), dtype=torch.int64)
    for largest in range(identities - 1 - count, identities - 1):
        drawn = torch.randint(largest + 1, (identities, 1), generator=generator)
        taken = (chosen == drawn).any(1, keepdim=True)
        chosen = torch.cat([chosen, drawn.masked_fill(taken, largest)], dim=1)
    # of the numbers 0 .. identities - 2, those from its own on name the identity one further
    return chosen + (chosen >= torch.arange(identities)[:, None])
