"""A codec beside its peers."""

from law_rl.compression.bd_rate import BdRate, bd_rate
from law_rl.compression.comparison import Comparison, in_words
from law_rl.compression.rate_curve import RateCurve, RatePoint


def curve(name: str, psnrs: tuple[float, ...], similarity: float | None) -> RateCurve:
    return RateCurve(
        name=name,
        points=tuple(
            RatePoint(setting=name, bpp=0.1 * (place + 1), psnr=psnr, ms_ssim=similarity and similarity + place / 100)
            for place, psnr in enumerate(psnrs)
        ),
    )


def test_each_peer_has_its_rates_or_the_reason() -> None:
    ours, near, far = curve("ours", (30, 31), 0.9), curve("near", (30.5, 31.5), None), curve("far", (40, 41), 0.9)
    comparison = Comparison(noun="picture", count=1, codec=ours, peers=(near, far))
    assert [each.name for each in comparison.curves] == ["ours", "near", "far"]
    first, second = comparison.against()
    assert first.psnr == bd_rate(ours, near) and isinstance(first.psnr, BdRate) and first.psnr.percent > 0
    assert first.ms_ssim == "near has 0 points of ms_ssim: measure it at two settings or more"
    assert isinstance(second.psnr, str) and "no psnr is reached by both" in second.psnr
    assert isinstance(second.ms_ssim, BdRate) and abs(second.ms_ssim.percent) < 1e-9


def test_words() -> None:
    assert in_words(BdRate(percent=-12.34, low=1, high=2)) == "-12.3 %"
    assert in_words("why not") == "no overlap"
