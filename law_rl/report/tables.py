"""The report's tables as HTML, every text escaped."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from law_rl.actions import Heads, SampleWeights
from law_rl.evaluate import LEARNED
from law_rl.learner import Directive
from law_rl.report.effects import loss_weight
from law_rl.report.outcome import plain_name
from law_rl.report.run_directory import Comparison
from law_rl.statistics import Interval


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, marked: int | None = None) -> str:
    """A table whose first column names its rows; row `marked` stands out."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    body = "".join(_row(row, k == marked) for k, row in enumerate(rows))
    return f'<div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'


def _row(row: Sequence[str], marked: bool) -> str:
    cells = "".join(f"<td>{escape(text)}</td>" for text in row[1:])
    name = ' class="marked"' if marked else ""
    return f'<tr{name}><th scope="row">{escape(row[0])}</th>{cells}</tr>\n'


def comparison_table(comparison: Comparison) -> str:
    """Means, intervals and paired gains of all curricula, best first."""
    metric = f"{comparison.metric}, %" if comparison.metric == "accuracy" else comparison.metric
    header = ("curriculum", metric, "95 % interval", f"gain over {comparison.over}, points", "95 % interval, paired")
    rows = [
        (plain_name(row.name), f"{row.interval.mean:.2f}", _span(row.interval), *_gain(row.gain))
        for row in comparison.rows
    ]
    return table(header, rows, marked=[row.name for row in comparison.rows].index(LEARNED))


def _span(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}"


def _gain(gain: Interval | None) -> tuple[str, str]:
    return (f"{gain.mean:+.2f}", _span(gain)) if gain else ("", "")


def weighting_table(stages: Sequence[Mapping[str, float]], head: SampleWeights) -> str:
    """The rule by which each stage weighted samples, and the mean weights that followed."""
    header = ("stage", *head.names, "mean weight, correct label", "mean weight, mislabelled")
    columns = (*head.names, "weight_clean", "weight_mislabelled")
    return table(header, [(f"{row['stage']:.0f}", *(_cell(row[name]) for name in columns)) for row in stages])


def supervision_table(directed: Mapping[int, Directive], heads: Heads) -> str:
    """The teacher and the weights of the losses in each stage."""
    columns = {"stage": [str(stage) for stage in directed]}
    if heads.teacher_anchor:
        columns["teacher's place"] = [f"{each.anchor:.2f}" for each in directed.values()]
    if mixture := heads.loss_weights:
        for term in mixture.terms:
            weights = (each.losses[term] for each in directed.values())
            columns[f"weight of {term}"] = [loss_weight(mixture, term, weight) for weight in weights]
    return table(tuple(columns), zip(*columns.values(), strict=True))


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
