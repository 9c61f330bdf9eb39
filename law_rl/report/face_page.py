"""The report of face verification: one HTML file that sets one or several systems side by side."""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path

from law_rl.face.evaluation.bootstrap import Bootstrap, Statistic, bootstrap, tar_at
from law_rl.face.evaluation.folds import FoldAccuracy
from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import Roc
from law_rl.files import write_atomic
from law_rl.report import face_plots
from law_rl.report.elements import figure, note, section
from law_rl.report.face_plots import Curve
from law_rl.report.html import PAGE, STYLE
from law_rl.report.tables import table
from law_rl.statistics import Interval


def write_face_report(
    path: Path,
    title: str,
    systems: Mapping[str, PairScores],
    *,
    folds: Sequence[tuple[str, FoldAccuracy]] = (),
    fars: Sequence[float] = (1e-3, 1e-2),
    replicates: int = 200,
    seed: int = 0,
) -> None:
    """Writes one HTML file: a table of TAR at each of `fars` and EER with intervals over persons, ROC and DET curves,
    the distributions of scores, and a table of `folds`, each with its system's name; same inputs, same bytes.

    Where all systems were scored on the same persons, a second table holds the paired differences to the first system.
    Raises ValueError without a system or a FAR, and where scores lack pairs of a kind.
    """
    outcome, parts = comparison(systems, fars, replicates=replicates, seed=seed)
    parts.append(_distributions(systems))
    if folds:
        parts.append(_folds(folds))
    write_page(path, title, outcome, parts)


def comparison(
    systems: Mapping[str, PairScores], fars: Sequence[float], *, replicates: int, seed: int
) -> tuple[str, list[str]]:
    """A sentence, and sections as HTML: rates with intervals, paired differences where there are, and error curves.

    Raises ValueError as `write_face_report` does.
    """
    if not systems or not fars:
        raise ValueError(f"{len(systems)} systems and {len(fars)} false accept rates: give at least one of each.")
    curves = face_plots.curves(systems)
    statistics: dict[str, Statistic] = {f"TAR at FAR {far:g}, %": tar_at(far) for far in fars}
    statistics["EER, %"] = Roc.equal_error_rate
    samples = {
        name: bootstrap(scores, statistics, replicates=replicates, seed=seed) for name, scores in systems.items()
    }
    outcome = f"Genuine pairs accepted at a false accept rate of {100 * min(fars):g} %: {_tars(curves, min(fars))}."
    return outcome, [_metrics(samples), _differences(samples), _error_curves(curves, fars)]


def write_page(path: Path, title: str, outcome: str, parts: Sequence[str]) -> None:
    """Writes the sections as one HTML file, without those that are empty."""
    body = "\n".join(part for part in parts if part)
    page = PAGE.substitute(title=escape(title), style=STYLE, outcome=escape(outcome), body=body)
    write_atomic(path, page.encode())


def _tars(curves: Sequence[Curve], far: float) -> str:
    return ", ".join(f"{curve.name} {100 * float(curve.roc.tar_at(far)):.1f} %" for curve in curves)


def _metrics(samples: Mapping[str, Bootstrap]) -> str:
    intervals = {name: sample.intervals() for name, sample in samples.items()}
    rows = [(name, *map(_interval, each.values())) for name, each in intervals.items()]
    text = (
        "TAR is the largest share of genuine pairs that a threshold accepts with at most the share FAR of impostor "
        "pairs; EER is where the shares of wrong decisions on both kinds are equal. In brackets 95 % intervals by a "
        "bootstrap over persons: pairs that share a person are no independent samples. At a FAR of less than a single "
        "impostor pair, none is accepted."
    )
    header = ("system", *next(iter(samples.values())).names)
    return section("Verification", table(header, rows) + note(text))


def _differences(samples: Mapping[str, Bootstrap]) -> str:
    """Nothing for a single system, or systems scored on different persons."""
    (first, baseline), *others = samples.items()
    if not others or not all(sample.pairs_with(baseline) for _, sample in others):
        return ""
    differences = {name: sample.differences(baseline) for name, sample in others}
    rows = [(name, *(_interval(each, "+") for each in intervals.values())) for name, intervals in differences.items()]
    header = ("system", *(name.replace(", %", ", points") for name in baseline.names))
    text = "Each bootstrap sample draws the same persons for all systems; the intervals are those of the differences."
    return section(f"Differences to {first}", table(header, rows) + note(text))


def _interval(interval: Interval, sign: str = "") -> str:
    mean, low, high = (f"{value:{sign}.2f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def _error_curves(curves: Sequence[Curve], fars: Sequence[float]) -> str:
    words = "; ".join(f"at a false accept rate of {100 * far:g} % {_tars(curves, far)}" for far in fars)
    roc = figure(
        partial(face_plots.draw_roc, systems=curves),
        4.2,
        name="roc",
        alt=f"True accept rate over the false accept rate: {words}.",
        caption="Higher is better. The dotted line is the false accept rate that a single impostor pair makes: left of "
        "it the data say nothing, and a little to its right not much.",
    )
    det = figure(
        partial(face_plots.draw_det, systems=curves),
        4.2,
        name="det",
        alt=f"False reject rate over the false accept rate, both logarithmic. True accept rate {words}.",
        caption="The same as errors: lower is better, and the equal error rate lies on the dashed line. Dotted lines "
        "are what a single pair makes; a curve ends where no genuine pair is rejected.",
    )
    return section("Right decisions on pairs of one person", roc) + "\n" + section("Errors on both kinds of pairs", det)


def _distributions(systems: Mapping[str, PairScores]) -> str:
    header = ("system", "persons", "genuine pairs", "their mean", "impostor pairs", "their mean")
    rows = []
    for name, scores in systems.items():
        kinds = ((f"{len(each):,}", f"{each.mean():.3f}") for each in (scores.genuine, scores.impostor))
        rows.append((name, f"{len(scores.identities):,}", *itertools.chain(*kinds)))
    draw = partial(face_plots.draw_scores, systems=systems)
    caption = "Densities, both kinds of pairs scaled to the same area. The less they overlap, the fewer errors."
    alt = "Densities of the cosines of genuine and impostor pairs, system by system; the table below has their means."
    picture = figure(draw, 1.2 + 1.4 * len(systems), name="scores", alt=alt, caption=caption)
    return section("Scores", f"{picture}\n{table(header, rows)}")


def _folds(folds: Sequence[tuple[str, FoldAccuracy]]) -> str:
    rows = []
    for name, each in folds:
        ends = f"{100 * each.folds.min():.2f} to {100 * each.folds.max():.2f}"
        rule = {"insightface": "insightface", "facex_zoo": "FaceX-Zoo"}[each.rule]
        rows.append((name, rule, f"{100 * each.mean:.2f}", f"{100 * each.std:.2f}", ends, f"{len(each.folds)}"))
    text = (
        "Accuracy on listed pairs at the threshold chosen on the other folds. The spread is the folds' standard "
        "deviation by insightface's rule and the standard error of the mean by FaceX-Zoo's; thresholds are chosen "
        "differently too, so compare within one rule only."
    )
    header = ("system", "rule", "accuracy, %", "spread", "worst to best fold", "folds")
    return section("Accuracy by folds", table(header, rows) + note(text))
