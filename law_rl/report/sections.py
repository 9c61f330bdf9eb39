"""The sections of a report in their order: plots with captions on how to read them, tables, the small print."""

import json
import math
from collections.abc import Iterator
from functools import partial
from html import escape
from typing import Any

from law_rl.evaluate import ORACLE
from law_rl.report import plots
from law_rl.report.meanings import MEANINGS
from law_rl.report.outcome import plain_name
from law_rl.report.run_directory import Comparison, Run
from law_rl.report.tables import comparison_table, stage_table
from law_rl.stage_weights import BINS


def sections(run: Run) -> Iterator[str]:
    """The sections as HTML; without an evaluation those that show it are left out."""
    if run.comparison:
        yield _comparison(run.comparison)
    yield _search(run)
    yield _weights(run)
    yield _by_loss(run)
    yield _shares(run)
    if run.comparison:
        yield _section("All curricula", comparison_table(run.comparison) + _note(_PAIRED))
    yield _section("The schedule, stage by stage", stage_table(run.stages, run.schedule.action.names) + _note(_ACTIONS))
    yield _small_print(run)


_PAIRED = (
    "Means over the evaluation's seeds on test data. A gain is the mean of the differences seed by seed, with the "
    "paired-t interval of these differences."
)
_ACTIONS = (
    "Stages count from 0; stages of warm-up, where all samples count the same, have no action. Actions and weights are "
    "means over the trainings that confirmed the chosen policy."
)


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _figure(draw: plots.Draw, height: float, *, name: str, alt: str, caption: str) -> str:
    svg = plots.render(draw, height, name=name)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
    return f"<figure>\n{svg}<figcaption>{escape(caption)}</figcaption>\n</figure>"


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
    return _section("Against the baselines", _figure(draw, height, name="comparison", alt=alt, caption=caption))


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
        "Each dot is one whole training: how much better it ended than the same training without weighting, on "
        f"validation data. Grey dots try policies out; the dark line, the mean of the last {window}, should climb. "
        "Diamonds run the best policies once more on every training seed; bars are their means, and the best mean was "
        f"chosen. {_effort(run)}"
    )
    draw = partial(plots.draw_search, episodes=run.episodes)
    return _section("The search", _figure(draw, 3.6, name="search", alt=alt, caption=caption.strip()))


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


def _weights(run: Run) -> str:
    head, title = run.schedule.action, "What the schedule does with a sample"
    rows = {int(row["stage"]): [row[name] for name in head.names] for row in run.stages}
    actions = {stage: row for stage, row in rows.items() if all(map(math.isfinite, row))}
    if not actions:
        return _section(title, _note("No stage of this schedule has a known action."))
    alt = (
        f"Sample weight against {', '.join(head.features)}, one curve for each of the stages {min(actions)} to "
        f"{max(actions)}. The table of the schedule below has the numbers."
    )
    caption = (
        f"How much a sample counts, p = 1 + tanh({head.gain:g} (w · f + bias)), against each of its features f while "
        "its others are 0; one curve a stage, from dark (early) to light (late). 1 is ordinary training, 0 leaves a "
        "sample out. Only ratios matter: the loss is divided by the sum of the weights, so flat curves at any height "
        "are ordinary training."
    )
    draw = partial(plots.draw_weights, action=head, actions=actions)
    height = 0.4 + 2.7 * math.ceil(len(head.features) / 3)
    return _section(title, _figure(draw, height, name="weights", alt=alt, caption=caption) + _meanings(head.features))


def _meanings(features: tuple[str, ...]) -> str:
    items = "".join(f"<li><b>{escape(name)}</b>: {escape(MEANINGS[name].clause)}</li>" for name in features)
    return f'\n<ul class="note">{items}</ul>'


def _by_loss(run: Run) -> str:
    title = "Weight against loss"
    rows = [row for row in run.stages if any(math.isfinite(row.get(name, math.nan)) for name in BINS)]
    if not rows:
        return _section(title, _note("No stage of this schedule weighted its samples, so this plot is left out."))
    alt = f"Mean sample weight by the sample's loss, one line for each of {len(rows)} stages."
    caption = (
        "What samples of each range of losses counted in each stage, on average over the trainings that confirmed the "
        "policy; from dark (early) to light (late)."
    )
    draw = partial(plots.draw_weight_by_loss, stages=rows)
    return _section(title, _figure(draw, 3.2, name="weight-by-loss", alt=alt, caption=caption))


def _shares(run: Run) -> str:
    title = "Who gets the weight"
    known = [
        row for row in run.stages if math.isfinite(row["weight_clean"]) or math.isfinite(row["weight_mislabelled"])
    ]
    if not known:
        return _section(
            title, _note("It is not known which samples of this data are mislabelled, so this plot is left out.")
        )
    last = known[-1]
    alt = (
        f"Mean weight of correctly labelled and of mislabelled samples by stage; in stage {last['stage']:.0f} "
        f"{last['weight_clean']:.2f} and {last['weight_mislabelled']:.2f}."
    )
    caption = (
        "The mean weight that samples with correct and with wrong labels had in each stage. The schedule is not told "
        "which is which: the wider the gap between the lines, the better it tells them apart."
    )
    draw = partial(plots.draw_shares, stages=run.stages)
    return _section(title, _figure(draw, 3.2, name="shares", alt=alt, caption=caption))


def _small_print(run: Run) -> str:
    parts = (
        ("Configuration", run.config),
        ("Where the schedule comes from", {"content_hash": run.schedule.hash, **run.schedule.provenance}),
    )
    blocks = "\n".join(f"<h3>{title}</h3>\n<pre>{escape(_json(value))}</pre>" for title, value in parts)
    return f"<details>\n<summary>Configuration and provenance</summary>\n{blocks}\n</details>"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
