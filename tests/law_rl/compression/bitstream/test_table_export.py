"""Likelihoods as integers, against float64 ones."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from law_rl.compression.bitstream import table_export, tables
from law_rl.compression.bitstream.table_export import latent_tables, scale, whole_counts
from law_rl.compression.network import mixture
from law_rl.counters import numpy_generator

SLOPES = torch.tensor([0.2, 1.0, 9.0], dtype=torch.float64)


def cdf(values: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid((values - 3.2) * SLOPES.reshape(1, 3, 1, 1))


def test_the_levels_are_the_networks() -> None:
    assert (tables.LEVELS, tables.PHASES) == (mixture.LEVELS, mixture.FRACTION)
    assert (table_export.SMALLEST_SCALE, table_export.LARGEST_SCALE) == (mixture.SCALE_MINIMUM, mixture.SCALE_MAXIMUM)
    assert [scale(level) for level in (0, 63)] == pytest.approx([0.11, 256])


def test_tails_scales_and_exponentials_are_rounded_from_float64() -> None:
    made = latent_tables(cdf)
    places = np.arange(len(made.tails))
    assert np.abs(made.tails - 2**30 * norm.cdf(-places / 256)).max() <= 0.5 + 1e-6
    levels = np.arange(64)
    scales = 0.11 * (256 / 0.11) ** (levels / 63)
    assert made.inverse_scales == pytest.approx(2**24 * 16 / scales, abs=0.51)
    assert made.exponentials[16] == round(2**20 / math.e)


def test_no_rounding_hangs_on_the_last_bits_of_a_mathematical_library() -> None:
    made = latent_tables(cdf)
    exact = np.array([2.0**29 * math.erfc(i / 256 / math.sqrt(2)) for i in range(len(made.tails))])
    margin = np.abs(exact - np.floor(exact) - 0.5)
    assert (margin > 8 * np.spacing(exact)).all()


def test_the_prior_is_that_of_each_channel() -> None:
    made = latent_tables(cdf).prior_tables()
    for slope, table in zip(SLOPES.numpy(), made, strict=True):
        symbols = table.first + np.arange(len(table.counts) - 1)
        exact = np.diff(1 / (1 + np.exp(-(np.append(symbols, symbols[-1] + 1) - 3.7) * slope)))
        assert np.abs(table.counts[:-1] / 2**24 - exact).max() < 4e-5
        assert 2**-15 <= table.counts[-1] / 2**24 < 2**-14


def test_a_prior_that_is_no_distribution_is_refused() -> None:
    for wrong in (lambda values: cdf(values) * torch.nan, lambda values: cdf(-values)):
        with pytest.raises(ValueError, match="no distribution"):
            latent_tables(wrong)


def test_a_prior_beyond_its_reach_still_gives_tables() -> None:
    far = latent_tables(lambda values: torch.sigmoid((values - 5000) * SLOPES.reshape(1, 3, 1, 1)))
    wide = latent_tables(lambda values: torch.sigmoid(values / 4000 * SLOPES.reshape(1, 3, 1, 1)))
    for made in (far, wide):
        assert all(table.counts.sum() == 2**24 for table in made.prior_tables())
    assert far.prior_counts[-1] > 2**23


@given(seed=st.integers(0, 10**6), size=st.integers(1, 2000), power=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_whole_counts_add_up_and_follow_the_probabilities(seed: int, size: int, power: int) -> None:
    shares = numpy_generator(seed, "shares").random(size) ** power + 1e-300
    probabilities = shares / shares.sum() * 0.999
    counts = whole_counts(probabilities)
    assert len(counts) == size + 1 and counts.min() >= 1 and counts.sum() == 2**24
    largest = counts.argmax()
    others = np.delete(np.arange(size), largest) if largest < size else np.arange(size)
    assert np.abs(counts[others] - probabilities[others] * 2**24).max(initial=0) <= 2 + size * probabilities.max()
