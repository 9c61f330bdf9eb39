"""The plots of a codec's report: quality over bits, the codec and its peers."""

import numpy as np
from matplotlib.figure import Figure

from law_rl.compression.comparison import Comparison
from law_rl.compression.rate_curve import Metric
from law_rl.report.plots import ACCENT, GREY, INK, WARN

MEASURED = (WARN, "#3f7f3a", "#7a4fa3", "#a3872a")
DASHES = ("--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 1)), (0, (4, 1, 1, 1)))
REACH = 1.6
"""The plot ends at so many times the bits of the codec's best setting."""

WORDS = {"psnr": "PSNR, dB", "ms_ssim": "MS-SSIM, dB: -10 log10(1 - MS-SSIM)"}


def draw_curves(figure: Figure, comparison: Comparison, metric: Metric) -> None:
    """One line a codec with a mark a setting: the codec bold, peers that were measured in colours, published ones grey
    and dashed.
    """
    axes = figure.subplots()
    most = REACH * max(point.bpp for point in comparison.codec.points)
    shown: list[float] = []
    for place, curve in enumerate(comparison.peers):
        rates, qualities = curve.values(metric)
        colour = GREY if curve.published else MEASURED[place % len(MEASURED)]
        dash = DASHES[place % len(DASHES)] if curve.published else "-"
        (line,) = axes.plot(rates, qualities, color=colour, linestyle=dash, linewidth=1.2, label=curve.name)
        line.set(marker=".", markersize=4, zorder=1 if curve.published else 2)
        shown += qualities[rates <= most].tolist()
    rates, qualities = comparison.codec.values(metric)
    axes.plot(rates, qualities, "o-", color=ACCENT, linewidth=2.4, zorder=3, label=comparison.codec.name)
    shown += qualities.tolist()
    axes.set_xlim(0, most)
    if shown:
        margin = 0.05 * max(float(np.ptp(shown)), 1.0)
        axes.set_ylim(min(shown) - margin, max(shown) + margin)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_xlabel("bits per pixel", color=INK)
    axes.set_title(WORDS[metric], loc="left")
    figure.legend(loc="outside lower center", ncols=4 if len(comparison.curves) <= 4 else 3)
