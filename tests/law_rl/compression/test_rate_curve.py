"""Means over pictures, and curves in order of their rates."""

import math

import pytest

from law_rl.compression.rate_curve import RateCurve, RatePoint, mean_point


def test_all_pictures_count_alike() -> None:
    point = mean_point("4", [(0.1, 30.0, 0.9), (0.5, 40.0, 0.7)])
    assert (point.setting, point.bpp, point.psnr) == ("4", pytest.approx(0.3), 35.0)
    assert point.ms_ssim == pytest.approx(0.8)


def test_a_picture_without_similarity_leaves_no_mean_of_it() -> None:
    assert mean_point("4", [(0.1, 30.0, 0.9), (0.5, 40.0, None)]).ms_ssim is None
    assert mean_point("4", [(0.1, 30.0, None)]).ms_ssim is None


def test_values_come_cheapest_first_in_decibels_and_without_what_is_missing() -> None:
    points = [(0.5, 40.0, 0.99), (0.1, 30.0, 0.9), (0.9, math.inf, 1.0), (0.2, 31.0, None)]
    curve = RateCurve(
        name="x", points=tuple(RatePoint(setting="", bpp=rate, psnr=psnr, ms_ssim=m) for rate, psnr, m in points)
    )
    assert [each.tolist() for each in curve.values("psnr")] == [[0.1, 0.2, 0.5], [30.0, 31.0, 40.0]]
    rates, qualities = curve.values("ms_ssim")
    assert rates.tolist() == [0.1, 0.5] and qualities.tolist() == pytest.approx([10.0, 20.0])


def test_a_curve_without_points_is_empty() -> None:
    rates, qualities = RateCurve(name="x", points=()).values("psnr")
    assert len(rates) == len(qualities) == 0
