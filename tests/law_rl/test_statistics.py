import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.statistics import Interval, in_points, mean_interval

T_975 = {2: 12.706205, 3: 4.302653, 5: 2.776445, 10: 2.262157}
"""Quantiles of Student's t distribution with n - 1 degrees of freedom, from printed tables."""


@pytest.mark.parametrize("count", T_975)
def test_the_interval_is_students(count: int) -> None:
    values = [math.sin(3.0 * k) * 10 + k for k in range(count)]
    interval = mean_interval(values)
    half = T_975[count] * statistics.stdev(values) / math.sqrt(count)
    assert interval.mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert interval.low == pytest.approx(interval.mean - half, rel=1e-6)
    assert interval.high == pytest.approx(interval.mean + half, rel=1e-6)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=8))
def test_the_interval_holds_its_mean(values: list[int]) -> None:
    interval = mean_interval([v / 10 for v in values])
    assert interval.low - 1e-9 <= interval.mean <= interval.high + 1e-9
    assert (interval.low == interval.high) == (len(set(values)) == 1)


def test_equal_values_and_a_single_one_give_no_width() -> None:
    for values in ([2.5], [2.5, 2.5, 2.5]):
        assert mean_interval(values) == Interval(mean=2.5, low=2.5, high=2.5)


def test_an_interval_is_shown_with_two_digits() -> None:
    interval = Interval(mean=1.234, low=-0.5, high=2.0)
    assert str(interval) == "1.23 [-0.50, 2.00]"
    assert interval.to_json() == {"mean": 1.234, "ci95": [-0.5, 2.0]}


def test_small_numbers_of_points_keep_two_digits() -> None:
    assert [in_points(value) for value in (19.64, 1.0, -0.031, 0.0)] == ["19.6", "1.0", "-0.03", "0.00"]
    assert [in_points(value, sign=True) for value in (19.64, -2.0, 0.248)] == ["+19.6", "-2.0", "+0.25"]
