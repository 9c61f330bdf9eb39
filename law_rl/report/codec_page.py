"""The report of a codec: one HTML file that sets its rate-distortion curve beside those of others."""

from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

from law_rl.compression.bd_rate import BdRate
from law_rl.compression.comparison import Comparison, in_words
from law_rl.compression.published import source
from law_rl.compression.rate_curve import Metric
from law_rl.files import write_atomic
from law_rl.report.codec_plots import draw_curves
from law_rl.report.elements import figure, note, section
from law_rl.report.html import PAGE, STYLE
from law_rl.report.tables import table

METRICS: tuple[tuple[Metric, str], ...] = (("psnr", "PSNR"), ("ms_ssim", "MS-SSIM"))


def write_codec_report(path: Path, title: str, comparison: Comparison) -> None:
    """Writes one HTML file: BD-rates, PSNR and MS-SSIM over bits, and every point; same inputs, same bytes."""
    text = f"Bits are those of whole files; each point is a mean over the {comparison.noun}s."
    write_sections(path, title, comparison, [rates_section(comparison, text), *point_sections(comparison)])


def write_sections(path: Path, title: str, comparison: Comparison, sections: Sequence[str]) -> None:
    """Writes the page of these sections, with the outcome on top."""
    page = PAGE.substitute(
        title=escape(title), style=STYLE, outcome=escape(_outcome(comparison)), body="\n".join(sections)
    )
    write_atomic(path, page.encode())


def _outcome(comparison: Comparison) -> str:
    words = [
        f"{abs(each.psnr.percent):.0f} % {'fewer' if each.psnr.percent < 0 else 'more'} than {each.name}"
        for each in comparison.against()
        if isinstance(each.psnr, BdRate)
    ]
    if not words:
        return f"On {comparison.what}, {comparison.codec.name} reaches no PSNR that another codec reaches too."
    return f"On {comparison.what}, {comparison.codec.name} needs so many bits at the same PSNR: {', '.join(words)}."


def rates_section(comparison: Comparison, text: str) -> str:
    """The BD-rates, and how they are made; `text` says of what."""
    rows = [
        (each.name, in_words(each.psnr), _span(each.psnr), in_words(each.ms_ssim), _span(each.ms_ssim))
        for each in comparison.against()
    ]
    header = ("against", "bits at the same PSNR", "PSNR, dB", "bits at the same MS-SSIM", "MS-SSIM, dB")
    definition = (
        f"Bjontegaard's delta rate: the bits that {comparison.codec.name} needs more, or fewer where negative, on "
        "average over the qualities that both curves reach, which stand beside; curves are interpolated monotonically "
        "(PCHIP) in the logarithm of the rate."
    )
    return section("Bits at the same quality", table(header, rows) + note(f"{definition} {text}"))


def _span(rate: BdRate | str) -> str:
    return "" if isinstance(rate, str) else f"{rate.low:.2f} to {rate.high:.2f}"


def point_sections(comparison: Comparison) -> list[str]:
    """Both plots, and the table of their points."""
    return [*(_curves(comparison, *each) for each in METRICS), _points(comparison)]


def _curves(comparison: Comparison, metric: Metric, name: str) -> str:
    caption = "Higher is better, and further left. The codec's marks are its models, those of others their settings."
    if any(curve.published for curve in comparison.peers):
        caption += f" Dashed and grey, not measured here: {source()}"
    picture = figure(
        partial(draw_curves, comparison=comparison, metric=metric),
        4.6,
        name=metric.replace("_", "-"),
        alt=f"{name} over bits per pixel for {', '.join(curve.name for curve in comparison.curves)}; the tables have "
        "the numbers.",
        caption=caption,
    )
    return section(f"{name} over bits", picture)


def _points(comparison: Comparison) -> str:
    rows = [
        (
            f"{curve.name}, {point.setting}",
            f"{point.bpp:.4f}",
            f"{point.psnr:.2f}",
            "" if point.ms_ssim is None else f"{point.ms_ssim:.4f}",
        )
        for curve in comparison.curves
        for point in curve.points
    ]
    return section("Every point", table(("codec, setting", "bits per pixel", "PSNR, dB", "MS-SSIM"), rows))
