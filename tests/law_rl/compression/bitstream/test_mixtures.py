"""Mixtures from tables against float64 ones."""

import numpy as np
import pytest
from scipy.stats import norm

from law_rl.compression.bitstream.gaussian_tables import cumulative_tables
from law_rl.compression.bitstream.hyper_parameters import IntegerParameters
from law_rl.compression.bitstream.mixtures import Mixtures
from law_rl.compression.bitstream.table_export import scale
from law_rl.counters import numpy_generator
from tests.law_rl.compression.bitstream.models import tiny_model

TABLES = tiny_model(3).tables
NEAR = np.array([[1], [2]], np.int32)
SCALES = np.array([scale(level) for level in range(64)])


def drawn_parameters(count: int, components: int = 3, *, seed: int = 0, far: int = 40) -> IntegerParameters:
    """Some latents of every level, means `far` sixteenths apart, weights between even and one-sided."""
    generator = numpy_generator(seed, "parameters")
    return IntegerParameters(
        levels=generator.integers(0, 64, (components, count)).astype(np.uint8),
        means=np.rint(generator.normal(0, far, (components, count))).astype(np.int32),
        logits=generator.integers(-60, 60, (components, count)).astype(np.int32),
    )


def weights(parameters: IntegerParameters) -> np.ndarray:
    values = np.exp(parameters.logits / 16)
    return values / values.sum(0)


def made(parameters: IntegerParameters) -> Mixtures:
    return Mixtures.made(cumulative_tables(TABLES), TABLES.exponentials.astype(np.float32), parameters)


@pytest.mark.parametrize("side", [1, -1])
def test_what_lies_beyond_a_distance(side: int) -> None:
    parameters = drawn_parameters(500)
    mixtures = made(parameters)
    for distance in (1, 2, 7, 100):
        edges = mixtures.centres + side * (distance - 0.5)
        tails = norm.sf(side * (edges - parameters.means / 16) / SCALES[parameters.levels])
        exact = (weights(parameters) * tails).sum(0)
        found = mixtures.mirrored(side).beyond(np.full((1, 500), distance, np.int32))[0]
        assert found.dtype == np.float32
        assert found == pytest.approx(exact, rel=2e-4, abs=1e-6)


def test_centres_are_the_nearest_to_the_means() -> None:
    parameters = drawn_parameters(500)
    means = (weights(parameters) * parameters.means / 16).sum(0)
    assert np.abs(made(parameters).centres - means).max() < 0.5 + 1e-3


def test_some_of_them_are_as_they_were() -> None:
    mixtures, chosen = made(drawn_parameters(50)), np.array([3, 17, 49])
    assert (mixtures.of(chosen).beyond(NEAR) == mixtures.beyond(NEAR)[:, chosen]).all()


def test_one_sided_weights_and_far_logits() -> None:
    parameters = IntegerParameters(
        levels=np.array([[10], [50]], np.uint8),
        means=np.array([[160], [-16000]], np.int32),
        logits=np.array([[16000], [-16000]], np.int32),
    )
    mixtures = made(parameters)
    assert mixtures.centres[0] == 10
    assert mixtures.beyond(NEAR[:1])[0, 0] == pytest.approx(norm.sf(0.5 / SCALES[10]), rel=1e-3)
