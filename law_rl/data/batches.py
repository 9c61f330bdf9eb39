"""Batch order: a permutation of the training set per epoch, drawn by counters."""

import torch

from law_rl.counters import torch_generator


def epoch_order(size: int, seed: int, epoch: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """A random permutation int64 [size] for one epoch: a function of its arguments, the same on every device."""
    return torch.randperm(size, generator=torch_generator(seed, "batches", epoch)).to(device)


def epoch_batches(order: torch.Tensor, batch_size: int, drop_last: bool = False) -> list[torch.Tensor]:
    """Consecutive pieces of `order`, `batch_size` long; the last may be shorter.

    With `drop_last` a shorter last one is left out; one of a single sample always is, because neither batch
    normalisation nor a loss's spread over the batch exists for it. Raises ValueError for a batch size below 2.
    """
    if batch_size < 2:
        raise ValueError(f"batch_size={batch_size} is too small: use at least 2.")
    shortest = batch_size if drop_last else 2
    return [batch for batch in torch.split(order, batch_size) if len(batch) >= shortest]
