"""Cumulative probabilities of mixtures of Gaussians, from whole-number parameters and tables.

They are float32 numbers that come from tables by single operations, each of which IEEE 754 rounds alike everywhere, in
the order that is written here.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from law_rl.compression.bitstream.gaussian_tables import CumulativeTables
from law_rl.compression.bitstream.hyper_parameters import IntegerParameters
from law_rl.compression.bitstream.tables import PHASES

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixtures:
    """Mixtures of n latents, seen from their `centres` int32 [n], the whole numbers nearest their means.

    The rest is [K, n]: weights, means less the centre in sixteenths, and where the cumulative values of a component's
    level lie and how far they reach.
    """

    values: Floats
    centres: Integers
    weights: Floats
    means: Integers
    places: Integers
    reaches: Integers

    @classmethod
    def made(cls, tables: CumulativeTables, exponentials: Floats, parameters: IntegerParameters) -> Self:
        """Those of the parameters; `exponentials` are exp(-i / 16), of any common factor."""
        weights = _weights(exponentials, parameters.logits)
        mean = _sum(weights * parameters.means.astype(np.float32))
        mean *= np.float32(1 / PHASES)
        mean += np.float32(0.5)
        centres = np.floor(mean).astype(np.int32)
        return cls(
            values=tables.values,
            centres=centres,
            weights=weights,
            means=parameters.means - PHASES * centres,
            places=tables.places.take(parameters.levels),
            reaches=tables.reaches.take(parameters.levels),
        )

    def of(self, chosen: NDArray[Any]) -> Self:
        """Those of the latents at these places."""
        arrays = {name: getattr(self, name).take(chosen, -1) for name in ("centres", "weights", "means")}
        return replace(self, **arrays, places=self.places.take(chosen, 1), reaches=self.reaches.take(chosen, 1))

    def mirrored(self, sides: Integers | int) -> Self:
        """Where a side is -1, the other way round: what was below the centre is above it."""
        return replace(self, means=self.means * sides)

    def beyond(self, distances: Integers) -> Floats:
        """P(latent - centre > distance - 1/2) [d, n] for whole distances [d, n] or [d, 1]."""
        edges = self.means[:, None] - (PHASES * distances - PHASES // 2)
        reaches = self.reaches[:, None]
        np.maximum(edges, -reaches, out=edges)
        np.minimum(edges, reaches, out=edges)
        edges += self.places[:, None]
        terms = self.values.take(edges)
        terms *= self.weights[:, None]
        return _sum(terms)


def _sum(terms: Floats) -> Floats:
    """The sum over K, one after the other, so that its order is the same everywhere."""
    total: Floats = terms[0].copy()
    for term in terms[1:]:
        total += term
    return total


def _weights(exponentials: Floats, logits: Integers) -> Floats:
    """The softmax of logits in sixteenths [K, n]."""
    below = logits.max(0) - logits
    np.minimum(below, len(exponentials) - 1, out=below)
    weights: Floats = exponentials.take(below)
    weights /= _sum(weights)
    return weights
