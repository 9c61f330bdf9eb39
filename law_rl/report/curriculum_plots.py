"""The report's plots of a curriculum: what a schedule does in each stage."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from law_rl.actions import LossWeights
from law_rl.report.effects import loss_weight, sample_weights
from law_rl.report.meanings import MEANINGS
from law_rl.report.plots import ACCENT, GREY, WARN
from law_rl.stage_weights import BINS, LOSS_EDGES
from law_rl.weighting import LinearTanh

COLUMNS = 3
"""Panels side by side, at most."""


def _stage_colours(stages: Sequence[int]) -> tuple[ListedColormap, BoundaryNorm]:
    colours = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.92, len(stages))))
    return colours, BoundaryNorm(np.arange(stages[0], stages[-1] + 2) - 0.5, len(stages))


def _stage_bar(figure: Figure, panels: Any, stages: Sequence[int]) -> None:
    """The colour bar that says which colour is which stage, ten of them named at most."""
    colours, norm = _stage_colours(stages)
    ticks = stages[:: math.ceil(len(stages) / 10)]
    figure.colorbar(ScalarMappable(norm, colours), ax=panels, label="stage", ticks=ticks).minorticks_off()


def draw_weights(figure: Figure, rules: Mapping[int, LinearTanh]) -> None:
    """A panel a feature: what a sample counts against this feature, the others at 0; one curve a stage."""
    features = next(iter(rules.values())).features
    panels = _panels(figure, len(features), sharey=True)
    stages = sorted(rules)
    colours, norm = _stage_colours(stages)
    for panel, name in zip(panels.flat, features, strict=False):
        meaning = MEANINGS[name]
        values = np.linspace(-meaning.reach, meaning.reach, 81)
        panel.axhline(1.0, color=GREY, linewidth=0.9, linestyle=":")
        for stage in stages:
            weights = sample_weights(rules[stage], name, values.tolist())
            panel.plot(values, weights, color=colours(norm(stage)))
        panel.set(ylim=(-0.06, 2.06), yticks=(0, 0.5, 1, 1.5, 2), xlabel=meaning.axis)
        panel.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 5, 10]))
        panel.set_title(name, loc="left")
    _stage_bar(figure, panels, stages)
    figure.supylabel("weight of a sample", fontsize=9)


def draw_weight_by_loss(figure: Figure, stages: Sequence[Mapping[str, float]]) -> None:
    """The mean weight of the samples in each bin of losses, one line a stage; bins without a sample leave a gap."""
    axes = figure.subplots()
    numbers = [int(row["stage"]) for row in stages]
    colours, norm = _stage_colours(numbers)
    axes.axhline(1.0, color=GREY, linewidth=0.9, linestyle=":")
    for row in stages:
        values = [row.get(name, math.nan) for name in BINS]
        axes.plot(range(len(BINS)), values, color=colours(norm(row["stage"])), marker="o", markersize=4)
    labels = [f"to {edge:g}" for edge in LOSS_EDGES] + [f"over {LOSS_EDGES[-1]:g}"]
    axes.set(xticks=range(len(BINS)), ylim=(-0.06, 2.06), xlabel="loss of the sample, nats")
    axes.set_xticklabels(labels)
    axes.set_title("mean weight of a sample", loc="left")
    _stage_bar(figure, axes, numbers)


def draw_shares(figure: Figure, stages: Sequence[Mapping[str, float]]) -> None:
    """The mean weight of correctly labelled and of mislabelled samples in each stage, as far as known."""
    axes = figure.subplots()
    x = [int(row["stage"]) for row in stages]
    axes.axhline(1.0, color=GREY, linewidth=0.9, linestyle=":", label="ordinary training")
    for column, colour, marker, label in (
        ("weight_clean", ACCENT, "o", "correctly labelled"),
        ("weight_mislabelled", WARN, "s", "mislabelled"),
    ):
        values = [row[column] for row in stages]
        if any(map(math.isfinite, values)):
            axes.plot(x, values, color=colour, marker=marker, markersize=5, label=label)
    axes.set(ylim=(-0.06, 2.06), xlabel="stage")
    _stage_axis(axes, x)
    axes.set_title("mean weight of a sample", loc="left")
    figure.legend(loc="outside lower center", ncols=3)


def draw_teacher(figure: Figure, anchors: Mapping[int, float]) -> None:
    """The place on the teacher's route in each stage; the dotted line is the converged teacher."""
    axes = figure.subplots()
    axes.axhline(1.0, color=GREY, linewidth=0.9, linestyle=":", zorder=0)
    _steps(axes, anchors)
    axes.set(ylim=(-0.04, 1.04), xlabel="stage")
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1), ("first anchor  0", "0.25", "0.5", "0.75", "converged  1"))
    axes.set_title("place on the teacher's route", loc="left")


def draw_mixture(figure: Figure, head: LossWeights, losses: Mapping[int, Mapping[str, float]]) -> None:
    """A panel a term: its weight in each stage, from 0 to the most it can be; the dotted line is its usual weight."""
    panels = _panels(figure, len(head.terms), sharex=True)
    for panel, term, usual, most in zip(panels.flat, head.terms, head.usual, head.most, strict=False):
        panel.axhline(usual, color=GREY, linewidth=0.9, linestyle=":", zorder=0)
        _steps(panel, {stage: weights[term] for stage, weights in losses.items()})
        panel.set_ylim(-0.04 * most, 1.04 * most)
        panel.set_yticks((0, most / 2, most), ("0", f"{most / 2:g}", f"{most:g}"))
        panel.tick_params(labelbottom=True)
        panel.set_title(f"{term}, usually {loss_weight(head, term, usual)}", loc="left")
    figure.supxlabel("stage", fontsize=9)
    figure.supylabel("weight of the term", fontsize=9)


def _panels(figure: Figure, count: int, *, sharex: bool = False, sharey: bool = False) -> Any:
    """At least `count` axes in `panel_rows` rows, those beyond it empty."""
    rows = panel_rows(count)
    panels = figure.subplots(rows, math.ceil(count / rows), sharex=sharex, sharey=sharey, squeeze=False)
    for panel in panels.flat[count:]:
        panel.set_axis_off()
    return panels


def panel_rows(count: int) -> int:
    """The rows that so many panels take."""
    return math.ceil(count / COLUMNS)


def _steps(axes: Axes, values: Mapping[int, float]) -> None:
    """A step a stage, as values hold during a whole stage."""
    stages = range(min(values), max(values) + 1)
    heights = [values.get(stage, math.nan) for stage in stages]
    axes.stairs(heights, np.arange(len(heights) + 1) + stages[0] - 0.5, baseline=None, color=ACCENT, linewidth=1.8)
    _stage_axis(axes, stages)


def _stage_axis(axes: Axes, stages: Sequence[int]) -> None:
    axes.set_xlim(stages[0] - 0.6, stages[-1] + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
