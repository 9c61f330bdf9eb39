"""Error rates against scikit-learn and by hand."""

import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from law_rl.counters import numpy_generator
from law_rl.face.evaluation.rates import Floats, equal_error_rate, percentages, roc, tar_at_far

GENUINE = np.array([0.9, 0.8, 0.5, 0.3])
IMPOSTOR = np.array([0.7, 0.5, 0.2, 0.1, 0.0])

few_levels = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30).map(np.array)
shares = st.one_of(st.floats(0, 1), st.integers(0, 30).map(lambda k: k / 30))


def sklearn_curve(genuine: Floats, impostor: Floats) -> tuple[Floats, Floats]:
    labels = np.repeat([1, 0], [len(genuine), len(impostor)])
    far, tar, _ = roc_curve(labels, np.concatenate([genuine, impostor]), drop_intermediate=False)
    return far, tar


def test_rates_by_hand() -> None:
    # accepted genuine / impostors from the top: .9 1/0, .8 2/0, .7 2/1, .5 3/2 (a tie), .3 4/2, .2 4/3
    assert tar_at_far(GENUINE, IMPOSTOR, 0.0) == 0.5
    assert tar_at_far(GENUINE, IMPOSTOR, 0.19) == 0.5
    assert tar_at_far(GENUINE, IMPOSTOR, 0.2) == 0.5
    assert tar_at_far(GENUINE, IMPOSTOR, 0.4) == 1.0
    assert tar_at_far(GENUINE, IMPOSTOR, 1.0) == 1.0
    # from (0.2, 0.5) straight to (0.4, 0.75): far + tar = 1 after two thirds of it
    assert equal_error_rate(GENUINE, IMPOSTOR) == pytest.approx(0.2 + 0.2 * 2 / 3)


def test_the_corners_by_hand() -> None:
    curve = roc(GENUINE, IMPOSTOR)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.5, 0.3]
    assert curve.far.tolist() == [[0, 0], [0, 0], [0.2, 0.4], [0.4, 0.4]]
    assert curve.tar.tolist() == [[0, 0.25], [0.25, 0.5], [0.5, 0.75], [0.75, 1]]
    assert curve.tar_at(np.array([0.0, 0.39, 0.4, 1.0])).tolist() == [0.5, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("genuine", "impostor", "error"),
    [([1.0], [0.0], 0.0), ([0.0], [1.0], 1.0), ([0.5], [0.5], 0.5), ([2.0, 0.0], [1.0, -1.0], 0.5)],
)
def test_equal_errors_at_the_ends(genuine: list[float], impostor: list[float], error: float) -> None:
    assert equal_error_rate(np.array(genuine), np.array(impostor)) == pytest.approx(error)


@settings(deadline=None)
@given(genuine=few_levels, impostor=few_levels, far=shares)
@example(genuine=np.array([70.5]), impostor=np.arange(100.0), far=0.29)  # 0.29 * 100 is below 29
@example(genuine=np.array([42.5]), impostor=np.arange(100.0), far=0.57)
def test_they_are_those_of_scikit_learn(genuine: Floats, impostor: Floats, far: float) -> None:
    fars, tars = sklearn_curve(genuine, impostor)
    expected = tars[fars <= far].max()
    assert tar_at_far(genuine, impostor, far) == pytest.approx(expected, abs=1e-15)
    curve = roc(genuine, impostor)
    assert curve.tar_at(far) == pytest.approx(expected, abs=1e-15)
    points = set(zip(fars.tolist(), tars.tolist(), strict=True))
    assert set(zip(*(path.tolist() for path in curve.path()), strict=True)) <= points
    # along both curves far + tar grows strictly, so it can stand for the way along them
    (path_far, path_tar), grid = curve.path(), np.linspace(0, 2, 41)
    np.testing.assert_allclose(
        np.interp(grid, path_far + path_tar, path_far), np.interp(grid, fars + tars, fars), atol=1e-12
    )
    assert curve.equal_error_rate() == pytest.approx(np.interp(1, fars + tars, fars), abs=1e-12)


@settings(deadline=None)
@given(genuine=few_levels, impostor=few_levels)
def test_the_equal_error_rate_is_symmetric(genuine: Floats, impostor: Floats) -> None:
    error = equal_error_rate(genuine, impostor)
    assert 0 <= error <= 1
    assert equal_error_rate(-impostor, -genuine) == pytest.approx(error, abs=1e-12)
    assert equal_error_rate(impostor, genuine) == pytest.approx(1 - error, abs=1e-12)


def test_a_far_below_one_impostor_accepts_none() -> None:
    genuine, impostor = np.array([3.0, 2.0, 1.0]), np.array([2.0, 0.0])
    assert tar_at_far(genuine, impostor, 1e-9) == pytest.approx(1 / 3)
    assert roc(genuine, impostor).tar_at(1e-9) == pytest.approx(1 / 3)


def test_percentages_are_named_by_their_far() -> None:
    rates = percentages(GENUINE, IMPOSTOR, (1e-5, 0.001, 0.4))
    assert rates == {
        "TAR@1e-05": 50.0,
        "TAR@0.001": 50.0,
        "TAR@0.4": 100.0,
        "EER": pytest.approx(100 / 3),
    }
    assert all(type(rate) is float for rate in rates.values())


def test_three_million_impostors_take_well_under_a_second() -> None:
    generator = numpy_generator(0, "scores")
    impostor = generator.standard_normal(3_000_000, dtype=np.float32)
    genuine = generator.standard_normal(6_000, dtype=np.float32) + 3
    start = time.process_time()
    rate = tar_at_far(genuine, impostor, 1e-3)
    assert time.process_time() - start < 0.5
    # the normal distribution's upper thousandth lies at 3.090
    assert rate == pytest.approx(0.5 * math.erfc(0.0902 / math.sqrt(2)), abs=0.02)


def test_what_is_no_score_is_refused() -> None:
    for far in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="far is"):
            tar_at_far(GENUINE, IMPOSTOR, far)
    for measure in (roc, equal_error_rate, lambda genuine, impostor: tar_at_far(genuine, impostor, 0.1)):
        with pytest.raises(ValueError, match="no impostor score: give images of two persons"):
            measure(GENUINE, IMPOSTOR[:0])
        with pytest.raises(ValueError, match="genuine scores hold NaN"):
            measure(np.array([0.5, math.nan]), IMPOSTOR)
        with pytest.raises(ValueError, match=r"int64 \(2,\): give a vector of floats"):
            measure(GENUINE, np.array([1, 2]))
