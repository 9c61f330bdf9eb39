"""Long-tailed training sets."""

import torch

from law_rl.data.splits import rank_within_class


def long_tail_counts(largest: int, classes: int, imbalance: float) -> torch.Tensor:
    """Images kept per class, int64 [classes]: floor(largest * (1 / imbalance) ** (c / (classes - 1))), at least 1.

    The exponential profile of Meta-Weight-Net (Shu et al., 2019) and LAW. Raises ValueError for fewer than 2 classes
    or an imbalance below 1.
    """
    if imbalance < 1 or classes < 2:
        raise ValueError(
            f"imbalance={imbalance} over {classes} classes has no profile: use at least 1 and at least 2 classes."
        )
    profile = [largest * (1 / imbalance) ** (label / (classes - 1)) for label in range(classes)]
    return torch.tensor([max(1, int(size)) for size in profile])


def long_tail_indices(targets: torch.Tensor, classes: int, imbalance: float) -> torch.Tensor:
    """Indices (ascending) of the samples that a long tail keeps of `targets`: of each class the first in order.

    The profile starts at the size of the largest class; a class that is smaller than its profile is kept whole.
    """
    largest = int(torch.bincount(targets, minlength=classes).max())
    counts = long_tail_counts(largest, classes, imbalance)
    return torch.nonzero(rank_within_class(targets) < counts[targets]).flatten()
