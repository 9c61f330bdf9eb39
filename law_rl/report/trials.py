"""What a tuning leaves in its run directory: tables, a plot, and the best configuration as an experiment module."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from law_rl.files import write_atomic
from law_rl.report.plots import ACCENT, GREY, INK, WARN, render
from law_rl.trials import Trial, ranked

HEIGHT = 3.6


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """One row a trial, the best first: its configuration, gain in points, episodes, status and error."""
    rows = []
    for trial in ranked(trials):
        entry = trial.to_json()
        rows.append({"trial": entry.pop("name"), **entry.pop("config"), **entry})
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode())


def write_plot(path: Path, trials: Sequence[Trial], best: Trial) -> None:
    """The gain of every trial against its episodes, as SVG."""
    svg = render(lambda figure: draw_trials(figure, trials, best), HEIGHT, name="trials")
    write_atomic(path, svg.encode())


def draw_trials(figure: Figure, trials: Sequence[Trial], best: Trial) -> None:
    """A line a trial while it explores, and a diamond for the gain of its chosen schedule; the best stands out."""
    axes = figure.subplots()
    axes.axhline(0, color=GREY, linewidth=0.9, linestyle=":")
    labels = set()

    def once(label: str) -> str:
        fresh = label not in labels
        labels.add(label)
        return label if fresh else ""

    for trial in [*(trial for trial in trials if trial is not best), best]:
        sound = [report for report in trial.curve if not report.failure]
        confirmed = sound[-1:] if trial.status == "finished" else []
        exploring = sound[: len(sound) - len(confirmed)]
        chosen = trial is best
        colour, width, front, alpha = (ACCENT, 2.2, 3, 1.0) if chosen else (GREY, 1.0, 2, 0.7)
        label = f"best: {_words(best.fields)}" if chosen else once("other trials")
        path = [report.episodes for report in exploring], [report.gain for report in exploring]
        axes.plot(*path, color=colour, linewidth=width, zorder=front, alpha=alpha, label=label)
        if exploring and confirmed:
            x, y = zip(*((end.episodes, end.gain) for end in (exploring[-1], confirmed[0])), strict=True)
            axes.plot(x, y, ":", color=colour, linewidth=width, zorder=front, alpha=alpha)
        if trial.status in ("stopped", "error") and exploring:
            label = once("stopped early or failed")
            axes.plot(exploring[-1].episodes, exploring[-1].gain, "x", color=WARN, zorder=front, label=label)
        for report in confirmed:
            face = colour if chosen else "white"
            axes.plot(report.episodes, report.gain, "D", color=colour, markerfacecolor=face, zorder=front + 1)
    axes.plot([], [], "D", color=INK, markerfacecolor="white", label="its chosen schedule")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("episodes")
    axes.set_title("mean validation gain over the twin, points", loc="left")
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda place: not names[place].startswith("best"))
    figure.legend([handles[k] for k in order], [names[k] for k in order], loc="outside lower center", ncols=2)


def _words(fields: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in fields.items()
    )


def tuned_module(module: str, name: str, fields: Mapping[str, Any], *, trials: int, gain: float) -> str:
    """The source of an experiment module: that of `module` with the fields set and the name `name`."""
    entries = "".join(f'        "{key}": {value!r},\n' for key, value in fields.items())
    return f'''"""The best of {trials} trials of {module}: {gain:+.2f} points in validation."""

from {module} import experiment as base
from law_rl.tuning import with_fields

experiment = with_fields(
    base,
    {{
        "name": "{name}",
{entries}    }},
)
'''
