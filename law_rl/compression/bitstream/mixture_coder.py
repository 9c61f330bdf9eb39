"""Latents of mixtures of Gaussians: every latent has probabilities of its own, so it is found by few decisions.

First below, at or above the centre of its mixture; then its distance, in steps that grow fourfold until it lies within
one, and that shrink fourfold until it is known. Each decision takes cumulative probabilities of the mixture at two or
three edges; the product over the decisions is the latent's own probability, so they cost no rate. Most latents are at
their centre and need one.
"""

import numpy as np

from law_rl.compression.bitstream.gaussian_tables import cumulative_tables
from law_rl.compression.bitstream.hyper_parameters import IntegerParameters
from law_rl.compression.bitstream.mixtures import Floats, Integers, Mixtures
from law_rl.compression.bitstream.range_coder import PRECISION, CodingError, RangeCoder, Symbols
from law_rl.compression.bitstream.tables import LatentTables

_SLICE = 1 << 16
_LARGEST_STEP = 1 << 22
_NEAREST = np.ones((1, 1), np.int32)
_STEPS = np.array([[1], [2], [3]], np.int32)
_QUARTERS = np.array([[0.25], [0.5], [0.75]], np.float32)


class MixtureCoder:
    """Codes whole latents under K Gaussians each."""

    def __init__(self, tables: LatentTables) -> None:
        self._cumulative = cumulative_tables(tables)
        self._exponentials = tables.exponentials.astype(np.float32)

    def code(self, coder: RangeCoder, parameters: IntegerParameters, symbols: Symbols | None) -> Symbols:
        """Codes symbols [n], in order; raises CodingError."""
        result = np.empty(parameters.levels.shape[1], np.int32)
        for start in range(0, len(result), _SLICE):
            part = slice(start, start + _SLICE)
            mixtures = Mixtures.made(self._cumulative, self._exponentials, parameters.of(part))
            result[part] = _code_slice(coder, mixtures, None if symbols is None else symbols[part])
        return result


def _code_slice(coder: RangeCoder, mixtures: Mixtures, symbols: Symbols | None) -> Symbols:
    offsets = None if symbols is None else symbols - mixtures.centres
    counts = _sides(mixtures.mirrored(-1).beyond(_NEAREST)[0], mixtures.beyond(_NEAREST)[0])
    sides = coder.rows(counts, None if offsets is None else np.sign(offsets) + 1) - 1
    chosen = np.flatnonzero(sides)
    sides = sides[chosen]
    distances = None if offsets is None else np.abs(offsets[chosen])
    found = mixtures.centres.copy()
    found[chosen] += sides * _code_distances(coder, mixtures.of(chosen).mirrored(sides), distances)
    return found


def _sides(below: Floats, above: Floats) -> Floats:
    """Counts [n, 3] of below, at and above the centre."""
    total = np.float32((1 << PRECISION) - 3)
    counts = np.empty((len(below), 3), np.float32)
    counts[:, 0] = np.minimum(np.floor(below * total), total)
    counts[:, 2] = np.minimum(np.floor(above * total), total - counts[:, 0])
    counts[:, 1] = total - counts[:, 0] - counts[:, 2]
    return counts


def _code_distances(coder: RangeCoder, mixtures: Mixtures, distances: Integers | None) -> Integers:
    """Distances [n], each 1 or more.

    A latent's distance is known to be `lows` or more and, unless it is `open`, less than `lows` + 4 `steps`. It moves
    on by 0 to 3 steps; an open one that moves by 3 stays open. `firsts` and `lasts` are the probabilities beyond both
    ends.
    """
    result = np.empty(mixtures.means.shape[1], np.int32)
    places, lows, steps = np.arange(len(result)), np.ones_like(result), np.ones_like(result)
    open_ = np.ones(len(result), bool)
    firsts, lasts = mixtures.beyond(_NEAREST)[0], np.zeros(len(result), np.float32)
    while len(places):
        edges = np.concatenate((firsts[None], mixtures.beyond(lows + _STEPS * steps), lasts[None]))
        moves = coder.rows(_moves(edges), None if distances is None else np.minimum((distances - lows) // steps, 3))
        lows += moves * steps
        open_ &= moves == 3
        result[places] = lows
        left = np.flatnonzero(open_ | (steps > 1))
        moves, places, mixtures = moves[left], places[left], mixtures.of(left)
        lows, steps, open_ = lows[left], steps[left], open_[left]
        distances = None if distances is None else distances[left]
        firsts, lasts = edges[moves, left], edges[moves + 1, left]
        steps = np.where(open_, 4 * steps, steps // 4)
        if steps.max(initial=0) > _LARGEST_STEP:
            raise CodingError("a latent is larger than any encoder writes")
    return result


def _moves(edges: Floats) -> Floats:
    """Counts [n, 4] of what lies between neighbours of the five edges, from the probabilities [5, n] beyond each.

    Where nothing is left between the first and the last, all four are alike.
    """
    total = np.float32((1 << PRECISION) - 4)
    mass = edges[0] - edges[4]
    some = mass > 0
    shares = (edges[0] - edges[1:4]) / np.where(some, mass, np.float32(1))
    cumulative = np.floor(np.where(some, shares, _QUARTERS) * total)
    counts = np.empty((len(mass), 4), np.float32)
    counts[:, 0], counts[:, 3] = cumulative[0], total - cumulative[2]
    counts[:, 1:3] = np.diff(cumulative, axis=0).T
    return counts
