"""The video codec's report: its numbers are those of the comparison, its page is sound."""

import pytest

from law_rl.compression.comparison import Comparison
from law_rl.compression.rate_curve import RateCurve, RatePoint
from law_rl.compression.video.clip_comparison import ClipComparison
from law_rl.report.codec_video_page import write_video_report
from tests.law_rl.report.runs import NASTY, Page


def curve(name: str, factor: float, lowest: float = 28.0) -> RateCurve:
    return RateCurve(
        name=name,
        points=tuple(
            RatePoint(setting=f"s{place}", bpp=factor * 2**place, psnr=lowest + 3 * place, ms_ssim=0.9 + place / 50)
            for place in range(3)
        ),
    )


def compared(count: int, factor: float, lowest: float = 28.0) -> Comparison:
    peers = (curve("x264", 1.0), curve(NASTY, 1.0, lowest))
    return Comparison(noun="clip", count=count, codec=curve("ours", factor), peers=peers)


COMPARISON = ClipComparison(
    gop=10,
    mean=compared(2, 0.9),
    clips={"a": compared(1, 0.8), NASTY: compared(1, 1.0, 50.0)},
    settings={"x264": "core 165: -preset medium", NASTY: NASTY},
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("page") / "new" / "report.html"
    write_video_report(path, NASTY, COMPARISON)
    return Page(path.read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_comparison(page: Page) -> None:
    rates, psnr, similarity, points = page.tables
    assert rates[1][:3] == ["x264", "-10.0 %", "28.00 to 34.00"]
    assert psnr == [
        ["clip, at the same PSNR", "x264", NASTY],
        ["a", "-20.0 %", "-20.0 %"],
        [NASTY, "+0.0 %", "no overlap"],
        ["mean", "-10.0 %", "1 of 2 overlap"],
    ]
    assert similarity[0][0] == "clip, at the same MS-SSIM" and similarity[3] == ["mean", "-10.0 %", "-10.0 %"]
    assert len(points) == 1 + 3 * 3


def test_words_say_of_what_and_how(page: Page) -> None:
    assert "On 2 clips, ours needs so many bits at the same PSNR: 10 % fewer than x264" in page.text
    assert "Each point is a mean over the clips" in page.text and "Bits are those of whole files" not in page.text
    assert "x264: core 165: -preset medium" in page.text and COMPARISON.terms in page.text


def test_nothing_becomes_markup(page: Page) -> None:
    assert page.tags["script"] == 0 and page.tags["svg"] == page.tags["figure"] == 2
