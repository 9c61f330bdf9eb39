"""The report's plots of a search and its evaluation; any plot as SVG text for an HTML page: same inputs, same bytes."""

import io
import re
from collections.abc import Callable, Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from law_rl.evaluate import LEARNED, ORACLE
from law_rl.report.outcome import plain_name
from law_rl.report.run_directory import Comparison, EpisodeRow

ACCENT, WARN, GREY, INK = "#0b5cad", "#b8480e", "#8a93a0", "#1f2933"
WIDTH = 8.4
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "law-rl",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
Draw = Callable[[Figure], None]


def render(draw: Draw, height: float, *, name: str) -> str:
    """An <svg> element, as wide as its container; ids begin with `name`, so that several can stand in one page."""
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", svg, count=1, flags=re.DOTALL)
    return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)


def draw_comparison(figure: Figure, comparison: Comparison) -> None:
    """Each curriculum's mean with its interval, best on top, over faint dots for its seeds."""
    axes = figure.subplots()
    rows = comparison.rows[::-1]
    for y, row in enumerate(rows):
        colour = ACCENT if row.name == LEARNED else GREY
        face = "white" if row.name == ORACLE else colour
        seeds = [y - 0.24] * len(row.values)
        axes.plot(row.values, seeds, "o", color=colour, markersize=4, alpha=0.45, markeredgewidth=0)
        axes.plot([row.interval.low, row.interval.high], [y, y], color=colour, linewidth=2.2)
        axes.plot(row.interval.mean, y, "o", markersize=8, color=colour, markerfacecolor=face)
        text = f"{row.interval.mean:.2f}  [{row.interval.low:.2f}, {row.interval.high:.2f}]"
        weight = "bold" if row.name == LEARNED else "normal"
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center", fontweight=weight)
    axes.axvline(comparison.row(comparison.over).interval.mean, color=GREY, linewidth=0.9, linestyle=":", zorder=0)
    axes.set_yticks(range(len(rows)), [plain_name(row.name) for row in rows])
    next(label for label, row in zip(axes.get_yticklabels(), rows, strict=True) if row.name == LEARNED).set(
        color=ACCENT, fontweight="bold"
    )
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.7, len(rows) - 0.5)
    if comparison.metric == "accuracy":
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, 0.0), min(high, 100.5))
    axes.set_xlabel(f"test {comparison.metric}{', %' if comparison.metric == 'accuracy' else ''}")


def draw_search(figure: Figure, episodes: Sequence[EpisodeRow]) -> None:
    """The gain over the twin of every episode: exploring, with a moving average, then confirming candidates."""
    axes = figure.subplots()
    exploring = [row for row in episodes if row.phase == "explore" and not row.failed]
    x, gains = [row.episode for row in exploring], [row.advantage for row in exploring]
    axes.axhline(0, color=GREY, linewidth=0.9, linestyle=":")
    axes.plot(x, gains, "o", color=GREY, markersize=4, alpha=0.7, markeredgewidth=0, label="exploring")
    window = average_window(len(gains))
    averages = [float(np.mean(gains[max(0, k + 1 - window) : k + 1])) for k in range(len(gains))]
    axes.plot(x, averages, color=INK, linewidth=1.5, label="moving average")
    _draw_confirming(axes, episodes)
    failed = [row.episode for row in episodes if row.failed]
    if failed:
        low = axes.get_xaxis_transform()
        axes.plot(failed, [0.02] * len(failed), "x", color=WARN, transform=low, label="training failed")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("episode")
    axes.set_title("validation gain over the twin, points", loc="left")
    figure.legend(loc="outside lower center", ncols=5)


def average_window(episodes: int) -> int:
    """How many episodes the moving average takes together."""
    return max(5, episodes // 10)


def confirmed(episodes: Sequence[EpisodeRow]) -> dict[int, list[EpisodeRow]]:
    """The confirming episodes of each candidate, the best mean first."""
    groups: dict[int, list[EpisodeRow]] = {}
    for row in episodes:
        if row.phase == "confirm":
            groups.setdefault(row.candidate, []).append(row)
    means = {candidate: float(np.mean([row.advantage for row in rows])) for candidate, rows in groups.items()}
    return {candidate: groups[candidate] for candidate in sorted(groups, key=lambda c: (-means[c], c))}


def _draw_confirming(axes: Axes, episodes: Sequence[EpisodeRow]) -> None:
    for place, rows in enumerate(confirmed(episodes).values()):
        colour = ACCENT if place == 0 else "#5aa9c9"
        label = {0: "confirming: chosen", 1: "confirming: others"}.get(place)
        shown = [row for row in rows if not row.failed]
        x, gains = [row.episode for row in shown], [row.advantage for row in shown]
        axes.plot(x, gains, "D", color=colour, markersize=4.5, markeredgewidth=0, label=label)
        if len(shown) == len(rows):
            axes.hlines(float(np.mean(gains)), rows[0].episode - 0.4, rows[-1].episode + 0.4, colors=colour)
