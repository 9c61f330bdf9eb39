"""The plot of a greedy search for teacher anchors (RCO, 1904.09149)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from law_rl.distillation.anchors import GreedySearch
from law_rl.report.plots import INK

ANNOTATED = 12
"""Anchors up to which every ratio is written out."""
TICKS = 12
"""Epochs named along an axis, at most."""


def draw_ratios(figure: Figure, search: GreedySearch, epochs: Sequence[int]) -> None:
    """How hard each later anchor (columns) is for a student of each (rows): blue within delta, red beyond it.

    Framed are the steps that the search took. `epochs` are those of the anchors.
    """
    axes = figure.subplots()
    size = len(epochs)
    shown = search.ratios.masked_fill(torch.ones(size, size, dtype=torch.bool).tril(-1), float("nan"))
    axes.set_facecolor("#eef0f2")
    image = axes.imshow(shown.numpy(), cmap="RdBu_r", norm=Normalize(0, 2 * search.delta))
    for taught, harder in pairwise(search.indices):
        axes.add_patch(
            Rectangle(
                (harder - 0.5, taught - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=2, zorder=3, clip_on=False
            )
        )
    if size <= ANNOTATED:
        for row in range(size):
            for column in range(row, size):
                ratio = float(shown[row, column])
                colour = "white" if abs(ratio / search.delta - 1) > 0.6 else INK
                axes.text(column, row, f"{ratio:.2f}", ha="center", va="center", color=colour, fontsize=8)
    step = -(-size // TICKS)
    ticks = range((size - 1) % step, size, step)
    labels = [str(epochs[tick]) for tick in ticks]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="later anchor, epoch", ylabel="student just taught by the anchor of epoch")
    chosen = ", ".join(str(epochs[index]) for index in search.indices)
    axes.set_title(f"chosen epochs: {chosen}", loc="left", wrap=True)
    bar = figure.colorbar(image, ax=axes, extend="max")
    bar.set_label(f"divergence / that to its own anchor (white: delta = {search.delta:g})")
