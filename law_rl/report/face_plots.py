"""The plots of a face report: error curves over the false accept rate, and what scores the pairs have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import Roc, roc
from law_rl.report.plots import ACCENT, GREY, INK, WARN

COLOURS = (ACCENT, WARN, "#3f7f3a", "#7a4fa3", "#a3872a", INK)
DASHES = ("-", "--", "-.", ":")
POINTS = 400
BINS = np.linspace(-1, 1, 101)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """The ROC of a system, and the shares that a single pair makes of its impostor and of its genuine pairs."""

    name: str
    roc: Roc
    impostor_floor: float
    genuine_floor: float


def curves(systems: Mapping[str, PairScores]) -> list[Curve]:
    """The curve of each system."""
    return [
        Curve(
            name=name,
            roc=roc(scores.genuine, scores.impostor),
            impostor_floor=1 / len(scores.impostor),
            genuine_floor=1 / len(scores.genuine),
        )
        for name, scores in systems.items()
    ]


def draw_roc(figure: Figure, systems: Sequence[Curve]) -> None:
    """The true accept rate of each system over the false accept rate, from the share of a single impostor pair on."""
    axes = figure.subplots()
    lowest = 1.0
    for place, system in enumerate(systems):
        far = _rates(system)
        tar = system.roc.tar_at(far)
        axes.plot(far, 100 * tar, color=_colour(place), linestyle=_dash(place), label=system.name)
        lowest = min(lowest, float(tar.min()))
    _far_axis(axes, systems)
    axes.set_ylim(max(0.0, 100 * lowest - 4), 101)
    axes.set_title("true accept rate, % of genuine pairs", loc="left")
    figure.legend(loc="outside lower center", ncols=4)


def draw_det(figure: Figure, systems: Sequence[Curve]) -> None:
    """The false reject rate of each system over the false accept rate, both logarithmic; a curve ends where no genuine
    pair is rejected.
    """
    axes = figure.subplots()
    for place, system in enumerate(systems):
        far = _rates(system)
        rejected = 1 - system.roc.tar_at(far)
        rejected[rejected < system.genuine_floor / 2] = np.nan
        axes.plot(far, rejected, color=_colour(place), linestyle=_dash(place), label=system.name)
    low = min(system.genuine_floor for system in systems)
    axes.plot([low, 1], [low, 1], "--", color=GREY, linewidth=0.9, zorder=0)
    _far_axis(axes, systems)
    for floor in sorted({system.genuine_floor for system in systems}):
        axes.axhline(floor, color=GREY, linewidth=0.9, linestyle=":")
    axes.set_yscale("log")
    axes.set_ylim(low / 1.4, 1)
    _plain_log(axes.yaxis)
    axes.set_title("false reject rate, % of genuine pairs", loc="left")
    figure.legend(loc="outside lower center", ncols=4)


def draw_scores(figure: Figure, systems: Mapping[str, PairScores]) -> None:
    """A panel a system: the densities of the cosines of genuine and impostor pairs."""
    panels = figure.subplots(len(systems), sharex=True, squeeze=False)[:, 0]
    kinds = (("impostor pairs", GREY), ("genuine pairs", ACCENT))
    for panel, (name, scores) in zip(panels, systems.items(), strict=True):
        for (kind, colour), values in zip(kinds, (scores.impostor, scores.genuine), strict=True):
            density, _ = np.histogram(values.clip(-1, 1), BINS, density=True)
            panel.stairs(density, BINS, fill=True, alpha=0.35, color=colour, label=kind)
            panel.stairs(density, BINS, color=colour, linewidth=1.2)
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
        panel.set_title(name, loc="left")
    parts = [part for scores in systems.values() for part in (scores.impostor, scores.genuine)]
    low, high = min(part.min() for part in parts), max(part.max() for part in parts)
    panels[-1].set(xlim=(low - 0.02, high + 0.02), xlabel="cosine of the two embeddings")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _rates(system: Curve) -> np.ndarray:
    return np.geomspace(system.impostor_floor, 1, POINTS)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _dash(place: int) -> str:
    return DASHES[place // len(COLOURS) % len(DASHES)]


def _far_axis(axes: Axes, systems: Sequence[Curve]) -> None:
    """With a dotted line at the share that a single impostor pair makes."""
    floors = sorted({system.impostor_floor for system in systems})
    for floor in floors:
        axes.axvline(floor, color=GREY, linewidth=0.9, linestyle=":")
    axes.set_xscale("log")
    axes.set_xlim(floors[0] / 1.4, 1)
    _plain_log(axes.xaxis)
    axes.set_xlabel("false accept rate, % of impostor pairs")


def _plain_log(axis: Axis) -> None:
    """Powers of ten, in per cent and in figures."""
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.9f}".rstrip("0").rstrip(".")))
    axis.set_minor_formatter(NullFormatter())
    axis.grid(True, color=GREY, alpha=0.25, linewidth=0.6)
