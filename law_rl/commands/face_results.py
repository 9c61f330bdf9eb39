"""The results of a face evaluation: error rates with intervals, as tables and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from law_rl.commands.face_systems import System
from law_rl.face.data.face_dataset import tar_name
from law_rl.face.evaluation.bootstrap import Statistic, bootstrap, tar_at
from law_rl.face.evaluation.folds import FoldAccuracy
from law_rl.face.evaluation.rates import Roc
from law_rl.statistics import Interval

Rates = Mapping[str, Interval]


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """Systems with their `rates` in percent, and in points their paired `differences` to the first system, where they
    were scored on the same images; accuracies by `folds` of sets of listed pairs; and rates of pairs of `templates`.
    `pairs` says which pairs the systems were scored on.
    """

    systems: Mapping[str, System]
    rates: Mapping[str, Rates]
    differences: Mapping[str, Rates]
    folds: Sequence[tuple[str, FoldAccuracy]] = field(default_factory=tuple)
    templates: Mapping[str, float] | None = None
    pairs: str = "all pairs of images"


def measure(systems: Mapping[str, System], fars: Sequence[float], *, paired: bool) -> Results:
    """TAR at each of `fars` and EER of each system with 95 % intervals over persons; differences where `paired`."""
    statistics: dict[str, Statistic] = {tar_name(far): tar_at(far) for far in fars}
    statistics["EER"] = Roc.equal_error_rate
    drawn = {name: bootstrap(system.scores, statistics) for name, system in systems.items()}
    first, *others = drawn or [""]
    return Results(
        systems=systems,
        rates={name: each.intervals() for name, each in drawn.items()},
        differences={name: drawn[name].differences(drawn[first]) for name in others} if paired else {},
    )


def to_json(results: Results) -> dict[str, Any]:
    """The results as JSON values; an interval that is not known is null."""
    systems = {
        name: {
            "persons": len(system.scores.identities),
            "genuine": len(system.scores.genuine),
            "impostor": len(system.scores.impostor),
            "metrics": {metric: rate.to_json() for metric, rate in results.rates[name].items()}
            | {"rank_1": {"mean": system.rank_1, "ci95": None}},
        }
        for name, system in results.systems.items()
    }
    differences = {
        name: {metric: each.to_json() for metric, each in rates.items()} for name, rates in results.differences.items()
    }
    folds = [
        {"set": name, "rule": each.rule, "accuracy": 100 * each.mean, "std": 100 * each.std, "folds": len(each.folds)}
        for name, each in results.folds
    ]
    over = next(iter(results.systems), None)
    return {
        "systems": systems,
        "differences": {"over": over, "systems": differences},
        "folds": folds,
        "templates": None if results.templates is None else dict(results.templates),
    }


def print_results(console: Console, results: Results) -> None:
    """A table for each kind of result that there is."""
    if results.systems:
        console.print(_rates_table(results))
    if results.differences:
        console.print(_differences_table(results))
    if results.folds:
        console.print(_folds_table(results.folds))
    if results.templates is not None:
        words = ", ".join(f"{name} {value:.2f} %" for name, value in results.templates.items())
        console.print(f"pairs of templates: {words}", highlight=False)


def _rates_table(results: Results) -> Table:
    table = _table(f"{results.pairs}, in percent [95 % interval over persons]", ["", *results.systems])
    systems = results.systems.values()
    for name, kind in (("persons", "identities"), ("genuine pairs", "genuine"), ("impostor pairs", "impostor")):
        table.add_row(name, *(f"{len(getattr(system.scores, kind)):,}" for system in systems))
    for metric in next(iter(results.rates.values())):
        table.add_row(metric, *(str(rates[metric]) for rates in results.rates.values()))
    ranks = [system.rank_1 for system in systems]
    if any(rank is not None for rank in ranks):
        table.add_row("rank_1", *("" if rank is None else f"{rank:.2f}" for rank in ranks))
    return table


def _differences_table(results: Results) -> Table:
    title = f"differences to {next(iter(results.systems))}, in points [95 % interval, paired]"
    table = _table(title, ["", *results.differences])
    for metric in next(iter(results.differences.values())):
        found = (rates[metric] for rates in results.differences.values())
        table.add_row(metric, *(f"{each.mean:+.2f} [{each.low:+.2f}, {each.high:+.2f}]" for each in found))
    return table


def _folds_table(folds: Sequence[tuple[str, FoldAccuracy]]) -> Table:
    table = _table("listed pairs, accuracy in percent", ["", "rule", "folds", "accuracy", "spread"])
    for name, each in folds:
        table.add_row(name, each.rule, str(len(each.folds)), f"{100 * each.mean:.2f}", f"{100 * each.std:.2f}")
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    return table
