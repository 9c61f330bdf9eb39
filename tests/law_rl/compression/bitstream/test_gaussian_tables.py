"""Gaussians in whole numbers, against float64."""

import numpy as np
from scipy.stats import norm

from law_rl.compression.bitstream.gaussian_tables import cumulative_tables, residual_tables
from law_rl.compression.bitstream.table_export import scale
from tests.law_rl.compression.bitstream.models import tiny_model

TABLES = tiny_model().tables


def test_residuals_have_the_probabilities_of_their_level() -> None:
    for level, table in enumerate(residual_tables(TABLES)):
        symbols = np.abs(table.first + np.arange(len(table.counts) - 1))
        exact = norm.cdf((0.5 - symbols) / scale(level)) - norm.cdf((-0.5 - symbols) / scale(level))
        assert table.counts.sum() == 2**24
        assert np.abs(table.counts[:-1] / 2**24 - exact).max() < 1e-4
        assert -table.first * 2 + 1 == len(table.counts) - 1
        loss = np.sum(exact * np.log2(exact / (table.counts[:-1] / 2**24)))
        assert loss < 2e-4, level


def test_what_lies_outside_of_a_table_is_little() -> None:
    for level, table in enumerate(residual_tables(TABLES)):
        assert 2 * norm.cdf((table.first - 0.5) / scale(level)) < 2**-17.9


def test_cumulative_values_are_the_distribution_function() -> None:
    tables = cumulative_tables(TABLES)
    for level in range(64):
        reach, place = tables.reaches[level], tables.places[level]
        distances = np.arange(-reach, reach + 1)
        values = tables.values[place + distances]
        exact = norm.cdf(distances / 16 / scale(level))
        assert np.abs(values - exact).max() < 1e-6
        assert (np.diff(values) >= 0).all() and values[0] == 0 and values[-1] == 1
        tail = exact[exact < 1e-4]
        assert np.abs(values[: len(tail)] / tail - 1)[tail > 2**-20].max(initial=0) < 0.01
