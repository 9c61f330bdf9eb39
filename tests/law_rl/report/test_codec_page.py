"""The codec's report: its numbers are those of the curves, its page is sound."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.compression.comparison import Comparison
from law_rl.compression.published import published_kodak, source
from law_rl.compression.rate_curve import RateCurve, RatePoint
from law_rl.report.codec_page import write_codec_report
from tests.law_rl.report.runs import NASTY, Page


def curve(name: str, factor: float, similarity: float | None = 0.9) -> RateCurve:
    points = [(0.2, 28.0), (0.4, 31.0), (0.8, 34.0)]
    return RateCurve(
        name=name,
        points=tuple(
            RatePoint(setting=f"s{place}", bpp=factor * rate, psnr=psnr, ms_ssim=similarity and similarity + place / 50)
            for place, (rate, psnr) in enumerate(points)
        ),
    )


COMPARISON = Comparison(
    noun="picture", count=24, codec=curve(NASTY, 0.8), peers=(curve("JPEG", 1.0), *published_kodak())
)


def write(path: Path, comparison: Comparison) -> Page:
    write_codec_report(path, NASTY, comparison)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return write(tmp_path_factory.mktemp("page") / "new" / "report.html", COMPARISON)


def test_the_tables_are_those_of_the_curves(page: Page) -> None:
    rates, points = page.tables
    assert rates[1] == ["JPEG", "-20.0 %", "28.00 to 34.00", "-20.0 %", "10.00 to 12.22"]
    assert [row[0] for row in rates[1:]] == [peer.name for peer in COMPARISON.peers]
    assert len(points) == 1 + sum(len(each.points) for each in COMPARISON.curves)
    assert points[2] == [f"{NASTY}, s1", "0.3200", "31.00", "0.9200"]


def test_the_first_sentence_says_who_needs_fewer_bits(page: Page) -> None:
    assert f"{NASTY} needs so many bits at the same PSNR: 20 % fewer than JPEG," in page.text
    assert "more than VTM (published)" in page.text


def test_published_points_have_their_source(page: Page, tmp_path: Path) -> None:
    assert page.text.count(source()) == 2
    alone = write(tmp_path / "page", replace(COMPARISON, peers=COMPARISON.peers[:1]))
    assert source() not in alone.text


def test_nothing_becomes_markup_and_every_plot_has_words(page: Page) -> None:
    assert page.tags["script"] == 0 and page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"] == 2
    assert all(len(label) > 40 for label in page.values("aria-label"))
    references = [*page.values("href"), *page.values("xlink:href"), *page.values("src")]
    assert references and all(reference.startswith("#") for reference in references)


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, COMPARISON)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert len((tmp_path / "one").read_bytes()) < 300_000


def test_curves_that_do_not_overlap_say_so(tmp_path: Path) -> None:
    low = RateCurve(name="low", points=(RatePoint(setting="1", bpp=0.1, psnr=10.0, ms_ssim=None),))
    exact = RateCurve(name="exact", points=(RatePoint(setting="1", bpp=9.0, psnr=math.inf, ms_ssim=1.0),))
    page = write(
        tmp_path / "page", Comparison(noun="picture", count=1, codec=low, peers=(curve("JPEG", 1.0, None), exact))
    )
    assert page.tables[0][1:] == [
        ["JPEG", "no overlap", "", "not measured", ""],
        ["exact", "no overlap", "", "no overlap", ""],
    ]
    assert "low reaches no PSNR that another codec reaches too" in page.text
