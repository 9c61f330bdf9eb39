"""The sections of a report in their order: plots with captions on how to read them, tables, the small print."""

import json
from collections.abc import Iterator
from functools import partial
from html import escape
from typing import Any

from law_rl.actions import heads_of
from law_rl.evaluate import ORACLE
from law_rl.report import plots
from law_rl.report.curriculum_sections import curriculum_sections
from law_rl.report.effects import directives, usual
from law_rl.report.elements import figure, note, section
from law_rl.report.outcome import plain_name
from law_rl.report.run_directory import Comparison, Run
from law_rl.report.tables import comparison_table, supervision_table, weighting_table


def sections(run: Run) -> Iterator[str]:
    """The sections as HTML; without an evaluation those that show it are left out."""
    if run.comparison:
        yield _comparison(run.comparison)
    yield _search(run)
    yield from curriculum_sections(run)
    if run.comparison:
        yield section("All curricula", comparison_table(run.comparison) + note(_PAIRED))
    yield _schedule(run)
    yield _small_print(run)


_PAIRED = (
    "Means over the evaluation's seeds on test data. A gain is the mean of the differences seed by seed, with the "
    "paired-t interval of these differences."
)


def _comparison(comparison: Comparison) -> str:
    values = "; ".join(f"{plain_name(row.name)} {row.interval}" for row in comparison.rows)
    oracle = any(row.name == ORACLE for row in comparison.rows)
    caption = (
        f"Large dots are means over {comparison.seeds} training seeds that the search has not seen, bars their 95 % "
        "intervals, faint dots below single seeds; further right is better. "
        f"The dotted line is {plain_name(comparison.over)}."
        + (" The hollow dot is an upper mark that needs to know which labels are wrong." if oracle else "")
    )
    draw = partial(plots.draw_comparison, comparison=comparison)
    height = 0.75 + 0.36 * len(comparison.rows)
    alt = f"Test {comparison.metric} of each curriculum, mean and 95 % interval: {values}."
    return section("Against the baselines", figure(draw, height, name="comparison", alt=alt, caption=caption))


def _search(run: Run) -> str:
    explored = [row.advantage for row in run.episodes if row.phase == "explore" and not row.failed]
    window = plots.average_window(len(explored))
    means = [
        f"{sum(row.advantage for row in rows) / len(rows):+.1f}" for rows in plots.confirmed(run.episodes).values()
    ]
    alt = (
        f"Validation gain of {len(run.episodes)} episodes. Mean of the last explored ones "
        f"{_mean(explored[-window:])} points; means of the candidates when confirmed: {', '.join(means) or 'none'}."
    )
    caption = (
        "Each dot is one whole training: how much better it ended than its twin, the same training with "
        f"{usual(run.schedule.action)}, on validation data. Grey dots try policies out; the dark line, the mean of the "
        f"last {window}, should climb. Diamonds run the best policies once more on every training seed; bars are their "
        f"means, and the best mean was chosen. {_effort(run)}"
    )
    draw = partial(plots.draw_search, episodes=run.episodes)
    return section("The search", figure(draw, 3.6, name="search", alt=alt, caption=caption.strip()))


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):+.1f}" if values else "not known"


def _effort(run: Run) -> str:
    if not run.search:
        return ""
    search = run.search
    return (
        f"{search['episodes']} episodes ({search['stages']} stages; {search['trainings']} trainings with the twins) "
        f"took {_duration(search['wall_s'])} on {search['workers']} worker{'s' if search['workers'] > 1 else ''}."
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _schedule(run: Run) -> str:
    action, heads = run.schedule.action, heads_of(run.schedule.action)
    tables = [weighting_table(run.stages, heads.sample_weights)] if heads.sample_weights else []
    if heads.teacher_anchor or heads.loss_weights:
        tables.append(supervision_table(directives(action, run.stages), heads))
    text = (
        f"Stages count from 0; stages of warm-up, with {usual(action)}, have no action. Numbers are means over the "
        "trainings that confirmed the chosen policy."
    )
    return section("The schedule, stage by stage", "\n".join((*tables, note(text))))


def _small_print(run: Run) -> str:
    parts = (
        ("Configuration", run.config),
        ("Where the schedule comes from", {"content_hash": run.schedule.hash, **run.schedule.provenance}),
    )
    blocks = "\n".join(f"<h3>{title}</h3>\n<pre>{escape(_json(value))}</pre>" for title, value in parts)
    return f"<details>\n<summary>Configuration and provenance</summary>\n{blocks}\n</details>"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
