"""Stratified selection: the same share of every class."""

import torch

from law_rl.counters import torch_generator


def fixed_order(size: int) -> torch.Tensor:
    """A permutation int64 [size] that depends on nothing else: held-out sets are cut from its front."""
    return torch.randperm(size, generator=torch_generator(0, "split"))


def rank_within_class(targets: torch.Tensor) -> torch.Tensor:
    """How many earlier samples share the label of each sample: int64 [N]."""
    by_class = torch.argsort(targets, stable=True)
    sizes = torch.bincount(targets)
    starts = sizes.cumsum(0) - sizes
    ranks = torch.empty_like(targets)
    ranks[by_class] = torch.arange(len(targets)) - starts[targets[by_class]]
    return ranks


def stratified_counts(sizes: torch.Tensor, total: int) -> torch.Tensor:
    """`total` places shared out in proportion to the class sizes int64 [C], by largest remainder."""
    shares = sizes * total
    counts = shares // sizes.sum()
    remainders = shares - counts * sizes.sum()
    largest = torch.argsort(remainders, descending=True, stable=True)
    counts[largest[: total - int(counts.sum())]] += 1
    return counts


def split_stratified(order: torch.Tensor, targets: torch.Tensor, total: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cuts `order` (indices into `targets`) into `total` samples, stratified by class, and the rest.

    Both keep the order given; of each class the earliest are taken.
    """
    labels = targets[order]
    taken = rank_within_class(labels) < stratified_counts(torch.bincount(labels), total)[labels]
    return order[taken], order[~taken]
