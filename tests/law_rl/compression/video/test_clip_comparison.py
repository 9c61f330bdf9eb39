"""A video codec beside others, clip by clip."""

from collections.abc import Sequence

import pytest

from law_rl.compression.bd_rate import bd_rate
from law_rl.compression.comparison import Comparison
from law_rl.compression.rate_curve import RateCurve, RatePoint
from law_rl.compression.video.clip_comparison import ClipComparison, mean_in_words


def curve(name: str, factor: float, psnrs: Sequence[float] = (28, 31, 34)) -> RateCurve:
    return RateCurve(
        name=name,
        points=tuple(
            RatePoint(setting=str(place), bpp=factor * 2**place, psnr=psnr, ms_ssim=None)
            for place, psnr in enumerate(psnrs)
        ),
    )


def clip(*curves: RateCurve) -> Comparison:
    return Comparison(noun="clip", count=1, codec=curves[0], peers=curves[1:])


FIRST = clip(curve("ours", 0.1), curve("x264", 0.2), curve("x265", 0.1))
SECOND = clip(curve("ours", 3, (30, 33, 35)), curve("x264", 2), curve("x265", 2, (45, 46, 47)))
COMPARISON = ClipComparison(gop=10, mean=FIRST, clips={"a": FIRST, "b": SECOND}, settings={})


def test_means_are_those_of_the_clips_own_rates() -> None:
    x264 = COMPARISON.against()[0]
    second = bd_rate(SECOND.codec, SECOND.peers[0]).percent
    assert x264.name == "x264" and second != pytest.approx(-50)
    assert x264.psnr == pytest.approx((-50 + second) / 2)


def test_without_an_overlap_in_each_clip_there_is_no_mean() -> None:
    x264, x265 = COMPARISON.against()
    assert (x265.psnr, x264.ms_ssim) == ("1 of 2 overlap", "not measured")


def test_words() -> None:
    assert [mean_in_words(rate) for rate in (-12.34, 5.0, "1 of 2 overlap")] == ["-12.3 %", "+5.0 %", "1 of 2 overlap"]
    assert "an intra frame every 10 frames. Bits of ours are those of whole files" in COMPARISON.terms
