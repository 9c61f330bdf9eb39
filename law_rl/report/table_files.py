"""A table for people: as markdown, CSV, a plot, and on the terminal."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from law_rl.files import write_atomic
from law_rl.report.plots import ACCENT, GREY, render
from law_rl.statistics import Interval
from law_rl.table import Row
from law_rl.table_result import TableResult, excludes_zero

NOT_FINITE = "not finite"


def write_table(directory: Path, result: TableResult) -> None:
    """Writes table.json, table.md, table.csv and table.svg."""
    contents = {
        "json": json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n",
        "md": markdown(result),
        "csv": comma_separated(result),
        "svg": render(lambda figure: draw_table(figure, result), 1.1 + 0.42 * len(result.table.rows), name="table"),
    }
    for ending, text in contents.items():
        write_atomic(directory / f"table.{ending}", text.encode())


def header(result: TableResult) -> tuple[str, ...]:
    """The columns that people see."""
    table = result.table
    gains = ("gain over control", *(f"gain in {metric}" for metric in table.gains))
    return ("row", table.metric, *table.metrics, "epochs", "control", *gains, "note")


def gains_of(result: TableResult, row: Row) -> tuple[Interval | None, ...]:
    """The row's gains under the header's columns of gains."""
    return tuple(result.gain(row, metric) for metric in ("", *result.table.gains))


def cells(result: TableResult, row: Row) -> tuple[str, ...]:
    """A row's entries under `header`: means [95 % interval], and the paired gain in points with signs."""
    shown = (result.interval(row.name, metric) for metric in (result.table.metric, *result.table.metrics))
    gains = gains_of(result, row)
    return (
        row.name,
        *(NOT_FINITE if interval is None else str(interval) for interval in shown),
        str(row.epochs),
        row.over,
        *((signed(gain) if gain else NOT_FINITE) if row.over else "" for gain in gains),
        result.remarks(row),
    )


def signed(interval: Interval) -> str:
    """A difference with its 95 % interval, signs shown."""
    return f"{interval.mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def caption(result: TableResult) -> str:
    """How the numbers are to be read."""
    return (
        f"Test data, mean of {len(result.table.seeds)} unseen training seeds [95 % t interval]. Gains, in "
        f"{result.table.metric} where not said otherwise, are paired by seed, in points; those whose interval excludes "
        "0 are bold (each interval by itself: no correction for the number of rows)."
    )


def markdown(result: TableResult) -> str:
    """The whole table with its title and caption."""
    names = header(result)
    left = ("row", "control", "note")
    lines = [names, tuple(":--" if name in left else "--:" for name in names)]
    for row in result.table.rows:
        entries = [cell.replace("|", "\\|") for cell in cells(result, row)]
        gains = gains_of(result, row)
        for place, gain in enumerate(gains, len(entries) - 1 - len(gains)):
            if gain and excludes_zero(gain):
                entries[place] = f"**{entries[place]}**"
        lines.append(tuple(entries))
    grid = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# {result.table.title}\n\n{grid}\n\n{caption(result)}\n"


def comma_separated(result: TableResult) -> str:
    """One line a row: of each shown metric mean and interval, epochs, iterations, and the gain over the control."""
    text = io.StringIO()
    metrics = (result.table.metric, *result.table.metrics)
    ends = [f"{metric}{end}" for metric in metrics for end in ("", "_low", "_high")]
    others = [f"gain in {metric}{end}" for metric in result.table.gains for end in ("", "_low", "_high")]
    gains = ("control", "gain", "gain_low", "gain_high", "excludes_zero", *others, "note")
    writer = csv.writer(text)
    writer.writerow(["row", *ends, "epochs", "iterations", *gains])
    for row in result.table.rows:
        gain, *others_gains = gains_of(result, row)
        numbers = [end for metric in metrics for end in _ends(result.interval(row.name, metric))]
        excludes = "" if gain is None else excludes_zero(gain)
        budget = [row.epochs, result.iterations(row.name)]
        more = [end for other in others_gains for end in _ends(other)]
        writer.writerow([row.name, *numbers, *budget, row.over, *_ends(gain), excludes, *more, result.remarks(row)])
    return text.getvalue()


def _ends(interval: Interval | None) -> Sequence[float | str]:
    return ("", "", "") if interval is None else (interval.mean, interval.low, interval.high)


def print_table(console: Console, result: TableResult) -> None:
    """The table on a terminal, bold where the gain's interval excludes 0."""
    grid = Grid(title=Text(result.table.title), caption=Text(caption(result)))
    for name in header(result):
        grid.add_column(name, justify="left" if name in ("row", "control", "note") else "right", overflow="fold")
    for row in result.table.rows:
        gain = result.gain(row)
        grid.add_row(*cells(result, row), style="bold" if gain and excludes_zero(gain) else "")
    console.print(grid, markup=False)


def draw_table(figure: Figure, result: TableResult) -> None:
    """Each row's mean with its interval, in the table's order, over faint dots for its seeds; controls are hollow, and
    rows whose gain excludes 0 stand out.
    """
    axes = figure.subplots()
    table = result.table
    rows, controls = table.rows[::-1], {row.over for row in table.rows}
    for y, row in enumerate(rows):
        interval, gain = result.interval(row.name, table.metric), result.gain(row)
        text, colour = NOT_FINITE, ACCENT if gain and excludes_zero(gain) else GREY
        if interval is not None:
            values = result.values(row.name, table.metric)
            axes.plot(values, [y - 0.24] * len(values), "o", color=colour, markersize=4, alpha=0.45, markeredgewidth=0)
            axes.plot([interval.low, interval.high], [y, y], color=colour, linewidth=2.2)
            face = "white" if row.name in controls else colour
            axes.plot(interval.mean, y, "o", markersize=8, color=colour, markerfacecolor=face)
            text = f"{interval}   {signed(gain)}" if gain else str(interval)
        axes.text(1.02, y, text, transform=axes.get_yaxis_transform(), va="center")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.7, len(rows) - 0.5)
    axes.set_xlabel(
        f"test {table.metric}: mean and 95 % interval; at the right also the gain over the control (hollow)"
    )
