"""Float64 likelihoods as the integers of `LatentTables`: the only place that computes exp and erfc for the coder."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.bitstream.range_coder import PRECISION
from law_rl.compression.bitstream.tables import (
    CUT_BITS,
    EXPONENTIAL_BITS,
    LEAST_ESCAPE,
    LEVELS,
    PHASES,
    SCALE_BITS,
    TAIL_BITS,
    TAIL_STEPS,
    LatentTables,
)

SMALLEST_SCALE, LARGEST_SCALE = 0.11, 256.0
PRIOR_REACH = 512
"""Symbols of z from -512 to 512 can have a place of their own in their channel's table."""

_CUT = 2.0 ** -(CUT_BITS + 1)


def latent_tables(prior_cdf: Callable[[Tensor], Tensor]) -> LatentTables:
    """The tables of a model; `prior_cdf` maps float64 values [1, 1, 1, V] to cumulative probabilities [1, N, 1, V].

    Raises ValueError where a channel's cumulative probabilities are not finite or fall.
    """
    firsts, counts = _prior(prior_cdf)
    return LatentTables(
        tails=_falling(lambda i: 0.5 * math.erfc(i / TAIL_STEPS / math.sqrt(2)), TAIL_BITS),
        inverse_scales=np.array(
            [round(2.0**SCALE_BITS * TAIL_STEPS / PHASES / scale(level)) for level in range(LEVELS)], np.int64
        ),
        exponentials=_falling(lambda i: math.exp(-i / PHASES), EXPONENTIAL_BITS),
        prior_firsts=np.array(firsts, np.int32),
        prior_sizes=np.array([len(part) for part in counts], np.int32),
        prior_counts=np.concatenate(counts),
    )


def scale(level: int) -> float:
    """The standard deviation of a level from 0 to 63."""
    return float(SMALLEST_SCALE * (LARGEST_SCALE / SMALLEST_SCALE) ** (level / (LEVELS - 1)))


def _falling(function: Callable[[int], float], bits: int) -> NDArray[np.int32]:
    """round(2^bits function(i)) up to the first 0."""
    values: list[int] = []
    while not values or values[-1] > 0:
        values.append(round(2.0**bits * function(len(values))))
    return np.array(values, np.int32)


def _prior(cdf: Callable[[Tensor], Tensor]) -> tuple[list[int], list[NDArray[np.int32]]]:
    edges = torch.arange(-PRIOR_REACH, PRIOR_REACH + 2, dtype=torch.float64) - 0.5
    with torch.no_grad():
        cumulative = cdf(edges.reshape(1, 1, 1, -1)).double().cpu().flatten(1, 2)[0].numpy()
    if not np.isfinite(cumulative).all() or (np.diff(cumulative) < -1e-9).any():
        raise ValueError("the prior of z is no distribution: export a network that has not diverged")
    firsts, counts = [], []
    for channel in cumulative:
        low = int(np.clip(np.searchsorted(channel, _CUT, side="right") - 1, 0, 2 * PRIOR_REACH))
        high = int(np.clip(np.searchsorted(channel, 1 - _CUT), low + 1, 2 * PRIOR_REACH + 1))
        firsts.append(low - PRIOR_REACH)
        counts.append(whole_counts(np.diff(channel[low : high + 1])))
    return firsts, counts


def whole_counts(probabilities: NDArray[np.float64]) -> NDArray[np.int32]:
    """Counts int32 [S + 1], each at least 1, that add up to 2^24: of S symbols, and of the escape all the rest."""
    shares = np.maximum(np.append(probabilities, 1 - probabilities.sum()), 0)
    counts: NDArray[np.int32] = np.floor(shares / shares.sum() * ((1 << PRECISION) - len(shares))).astype(np.int32) + 1
    counts[-1] = max(counts[-1], LEAST_ESCAPE)
    counts[counts.argmax()] += (1 << PRECISION) - counts.sum()
    return counts
