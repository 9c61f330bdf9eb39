"""BD-rates: by hand, against an integration of the interpolant, and against published tables."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import pchip_interpolate

from law_rl.compression.bd_rate import NoOverlap, bd_rate, front
from law_rl.compression.published import published_kodak
from law_rl.compression.rate_curve import Floats, RateCurve, RatePoint

RISES = st.lists(st.floats(0.05, 3.0), min_size=2, max_size=7)


def curve(rates: list[float], qualities: list[float], name: str = "curve") -> RateCurve:
    points = zip(rates, qualities, strict=True)
    return RateCurve(
        name=name,
        points=tuple(RatePoint(setting=str(rate), bpp=rate, psnr=psnr, ms_ssim=None) for rate, psnr in points),
    )


def rising(steps: list[float], start: float) -> list[float]:
    return np.cumsum([start, *steps]).tolist()


def test_half_the_bits_at_every_quality() -> None:
    anchor = curve([0.2, 0.4, 0.8], [28.0, 31.0, 34.0])
    found = bd_rate(curve([0.1, 0.2, 0.4], [28.0, 31.0, 34.0]), anchor)
    assert found.percent == pytest.approx(-50.0)
    assert (found.low, found.high) == (28.0, 34.0)


def test_straight_lines_by_hand() -> None:
    """log2 of the rates: (q - 30) / 2 from 30 to 34, and (q - 31) / 2 + 1 / 2 = (q - 30) / 2 from 31 to 33: none."""
    anchor = curve([1.0, 2.0, 4.0], [30.0, 32.0, 34.0])
    same = bd_rate(curve([2**0.5, 2**1.5], [31.0, 33.0]), anchor)
    assert same.percent == pytest.approx(0.0, abs=1e-9) and (same.low, same.high) == (31.0, 33.0)
    steeper = bd_rate(curve([1.0, 16.0], [30.0, 34.0]), anchor)  # log2 of the rate above by 0 to 2, on average 1
    assert steeper.percent == pytest.approx(100.0)


@settings(deadline=None)
@given(RISES, RISES, RISES, RISES, st.floats(-2, 2))
def test_the_integral_is_that_of_the_interpolant(
    a: list[float], b: list[float], c: list[float], d: list[float], shift: float
) -> None:
    first, second = min(len(a), len(b)), min(len(c), len(d))
    ours = curve(rising(a[:first], 0.1), rising(b[:first], 30.0))
    theirs = curve(rising(c[:second], 0.2), rising(d[:second], 30.0 + shift))
    try:
        found = bd_rate(ours, theirs)
    except NoOverlap:
        ends = [(values[0], values[-1]) for _, values in (ours.values("psnr"), theirs.values("psnr"))]
        assert max(low for low, _ in ends) >= min(high for _, high in ends)
        return

    def difference(quality: Floats) -> Floats:
        logs = [
            pchip_interpolate(qualities, np.log(rates), quality)
            for rates, qualities in (ours.values("psnr"), theirs.values("psnr"))
        ]
        return np.asarray(logs[0] - logs[1])

    knots = [*ours.values("psnr")[1], *theirs.values("psnr")[1]]
    ends = np.array(sorted({found.low, found.high, *(knot for knot in knots if found.low < knot < found.high)}))
    nodes, weights = np.polynomial.legendre.leggauss(4)  # exact for the cubics between two knots
    places = ends[:-1, None] + np.diff(ends)[:, None] * (nodes + 1) / 2
    total = float((np.diff(ends)[:, None] / 2 * weights * difference(places)).sum())
    assert found.percent == pytest.approx(100 * math.expm1(total / (found.high - found.low)), rel=1e-6, abs=1e-6)
    back = bd_rate(theirs, ours)
    assert (1 + found.percent / 100) * (1 + back.percent / 100) == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "percent"), [("JPEG", 143.04), ("WebP", 44.18), ("VTM", -18.02)])
def test_published_curves_have_the_rates_of_others_tables(name: str, percent: float) -> None:
    curves = {each.name: each for each in published_kodak()}
    found = bd_rate(curves[f"{name} (published)"], curves["BPG (published)"])
    assert found.percent == pytest.approx(percent, abs=0.01)


def test_similarity_is_compared_in_decibels() -> None:
    def similar(factor: float) -> RateCurve:
        points = [(0.2, 0.9), (0.4, 0.99), (0.8, 0.999)]
        return RateCurve(
            name="x",
            points=tuple(
                RatePoint(setting="", bpp=factor * rate, psnr=math.inf, ms_ssim=ms_ssim) for rate, ms_ssim in points
            ),
        )

    found = bd_rate(similar(1.5), similar(1.0), "ms_ssim")
    assert found.percent == pytest.approx(50.0)
    assert (found.low, found.high) == pytest.approx((10.0, 30.0))


def test_points_that_nobody_would_choose_are_left_out() -> None:
    rates, qualities = front(np.array([0.4, 0.1, 0.3, 0.3, 0.5]), np.array([33.0, 30.0, 29.0, 32.0, 33.0]))
    assert rates.tolist() == [0.1, 0.3, 0.4] and qualities.tolist() == [30.0, 32.0, 33.0]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (([0.1, 0.2], [20.0, 25.0]), "no psnr is reached by both, curve from 20.00 to 25.00 dB and anchor from 28.00"),
        (([0.1], [30.0]), "curve has 1 points of psnr"),
        (([0.1, 0.2], [30.0, 29.0]), "curve has 1 points of psnr"),
        (([0.1, 0.2], [math.inf, math.inf]), "curve has 0 points of psnr"),
    ],
)
def test_curves_without_a_quality_in_common_are_refused(points: tuple[list[float], list[float]], words: str) -> None:
    with pytest.raises(NoOverlap, match=words):
        bd_rate(curve(*points), curve([0.2, 0.4], [28.0, 34.0], "anchor"))
