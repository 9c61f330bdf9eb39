"""The plot of an alignment's report: what scores the pairs of each kind of neighbourhood have, before and after."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import Floats
from law_rl.face.ida.neighbourhoods import KINDS, Neighbourhoods
from law_rl.report.plots import ACCENT, GREY, INK

BINS = 80


def draw_neighbourhoods(
    figure: Figure, systems: Mapping[str, PairScores], places: Neighbourhoods, thresholds: Mapping[str, float]
) -> None:
    """A column a system, a row a kind of neighbourhood: densities of the scores of genuine and impostor pairs, and the
    threshold.
    """
    panels = figure.subplots(len(KINDS), len(systems), sharex="col", squeeze=False)
    for column, (name, scores) in zip(panels.T, systems.items(), strict=True):
        ends = [end for part in (scores.impostor, scores.genuine) for end in (part.min(), part.max())]
        bins = np.linspace(min(ends), max(ends) + 1e-6, BINS + 1)
        for kind, panel in enumerate(column):
            _densities(panel, scores, places, kind, bins)
            if np.isfinite(thresholds[name]):
                panel.axvline(thresholds[name], color=INK, linewidth=0.9, linestyle="--", label="threshold")
            panel.set_title(f"{name}: {KINDS[kind]}", loc="left")
    handles = {label: handle for handle, label in zip(*panels[0, 0].get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)


def _densities(panel: Axes, scores: PairScores, places: Neighbourhoods, kind: int, bins: Floats) -> None:
    parts = (
        ("impostor pairs", GREY, scores.impostor, places.impostor),
        ("genuine pairs", ACCENT, scores.genuine, places.genuine),
    )
    for label, colour, values, ends in parts:
        counts = _counts(values, ends, kind, bins)
        density = counts / max(1, counts.sum()) / np.diff(bins)
        panel.stairs(density, bins, fill=True, alpha=0.35, color=colour, label=label)
        panel.stairs(density, bins, color=colour, linewidth=1.2)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)


def _counts(values: Floats, ends: NDArray[np.int8], kind: int, bins: Floats) -> NDArray[np.int64]:
    """Scores by bin; a pair counts once for each of its images of the kind."""
    first, second = (np.histogram(values[end == kind], bins)[0] for end in ends.T)
    both: NDArray[np.int64] = first + second
    return both
