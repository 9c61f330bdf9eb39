"""Tables on the terminal."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from law_rl.statistics import Interval


def print_result(console: Console, result: dict[str, Any]) -> None:
    """A table of the curricula, best first, and the outcome in a sentence."""
    from law_rl.evaluate import Evaluation  # imports torch, which the commands that only list things do without

    metric, schedules, over = result["metric"], result["schedules"], result["gain"]["over"]
    table = Table(title=f"{metric} on test data, mean of {len(result['seeds'])} unseen seeds [95 % interval]")
    for heading in ("curriculum", metric, f"over {over}"):
        table.add_column(heading, justify="left" if heading == "curriculum" else "right")
    evaluation = Evaluation(
        metric=metric,
        seeds=tuple(result["seeds"]),
        values={name: tuple(entry["values"]) for name, entry in schedules.items()},
        over=over,
    )
    for name in sorted(schedules, key=lambda name: -schedules[name]["mean"]):
        style = "bold" if name == "learned" else ""
        table.add_row(name, str(evaluation.interval(name)), str(evaluation.gain(name)), style=style)
    console.print(table)
    low, high = result["gain"]["ci95"]
    gain = Interval(mean=result["gain"]["mean"], low=low, high=high)
    closed = result["gap_closed"]
    share = f"; {100 * closed:.0f} % of the gap between {over} and oracle closed" if closed is not None else ""
    console.print(f"learned over {over}: {gain} points{share}", highlight=False)
    if "search" in result:
        counts = result["search"]
        console.print(f"search: {counts['trainings']} trainings in {counts['wall_s']:.0f} s", highlight=False)


def print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(show_lines=True)
    for heading in rows[0] if rows else ["nothing here"]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(", ".join(value) if isinstance(value, list) else str(value) for value in row.values()))
    Console().print(table)
