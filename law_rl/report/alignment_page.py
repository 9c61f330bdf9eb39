"""The report of aligned scores: one HTML file that sets decisions before and after side by side."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.ida.neighbourhoods import KINDS, Neighbourhoods, kind_rates, threshold_at
from law_rl.report.alignment_plots import draw_neighbourhoods
from law_rl.report.elements import figure, note, section
from law_rl.report.face_page import comparison, write_page
from law_rl.report.tables import table


def write_alignment_report(
    path: Path,
    title: str,
    systems: Mapping[str, PairScores],
    places: Neighbourhoods,
    *,
    fars: Sequence[float],
    at: float,
    replicates: int = 200,
    seed: int = 0,
) -> None:
    """Writes one HTML file: the tables and curves of a face report for scores of the same pairs, cosines first, and the
    scores of each kind of neighbourhood with what the threshold at FAR `at` does to it; same inputs, same bytes.

    Raises ValueError without a system or a FAR, and where scores lack pairs of a kind.
    """
    outcome, parts = comparison(systems, fars, replicates=replicates, seed=seed)
    write_page(path, title, outcome, [*parts, _neighbourhoods(systems, places, at)])


def _neighbourhoods(systems: Mapping[str, PairScores], places: Neighbourhoods, at: float) -> str:
    thresholds = {name: threshold_at(scores, at) for name, scores in systems.items()}
    picture = figure(
        partial(draw_neighbourhoods, systems=systems, places=places, thresholds=thresholds),
        5.2,
        name="neighbourhoods",
        alt="Densities of the scores of genuine and impostor pairs, system by system, for faces in sparse, middle and "
        "crowded neighbourhoods; the table below has the error rates.",
        caption="Densities, both kinds of pairs scaled to the same area; the dashed line is the threshold that accepts "
        f"at most {100 * at:g} % of all impostor pairs. Where the grey hills of a column stand in one place, one "
        "threshold is fair to all.",
    )
    text = (
        "Images in three equal parts by mu, their mean cosine to the reference faces that are their neighbours. A pair "
        "counts once for each of its images. FAR and TAR are the shares of impostor and genuine pairs that the "
        "threshold accepts."
    )
    return section("Scores by neighbourhood", f"{picture}\n{_table(systems, places, thresholds)}{note(text)}")


def _table(systems: Mapping[str, PairScores], places: Neighbourhoods, thresholds: Mapping[str, float]) -> str:
    rates = {name: kind_rates(scores, places, thresholds[name]) for name, scores in systems.items()}
    header = ["neighbourhood", "images", "mu"]
    for name in systems:
        header += [f"{name}: mean of impostors", "FAR, %", "TAR, %"]
    rows = []
    for kind, name in enumerate(KINDS):
        low, high = places.spans[kind]
        row = [name, f"{places.images[kind]:,}", f"{low:.3f} to {high:.3f}"]
        for each in (found[kind] for found in rates.values()):
            row += [_cell(each.impostor, 3), _cell(100 * each.far, 2), _cell(100 * each.tar, 2)]
        rows.append(row)
    return table(header, rows)


def _cell(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
