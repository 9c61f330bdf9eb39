"""A schedule and the outcome of a run in plain words and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from law_rl.actions import SampleWeights
from law_rl.report.meanings import MEANINGS
from law_rl.schedule import Schedule
from law_rl.weighting import LinearTanh, linear_tanh

HASH_DIGITS = 12


def sample_weights(head: SampleWeights, action: Sequence[float], feature: str, values: Sequence[float]) -> list[float]:
    """What samples count under an action whose `feature` has these values and whose other features are 0."""
    rule = head.directive(action).weighting
    assert isinstance(rule, LinearTanh)
    column = torch.tensor(values, dtype=torch.float64)
    features = [column if name == feature else torch.zeros_like(column) for name in rule.features]
    return linear_tanh(rule, features).tolist()


def typical_actions(schedule: Schedule) -> list[list[float]]:
    """One action a stage after warm-up: a table's own, a policy's mean over the trainings that confirmed it or []."""
    if schedule.kind == "table":
        blind = torch.zeros(len(schedule.observation))
        return [schedule.actor.act(blind, stage).tolist() for stage in range(schedule.warmup, schedule.stages)]
    return [list(row) for row in schedule.provenance.get("typical_actions", [])]


def describe_schedule(schedule: Schedule) -> list[str]:
    """What a schedule does, for what it was learned and what it gained, as lines of text."""
    parts = (_kind(schedule), _features(schedule), _stages(schedule), _origin(schedule.provenance))
    lines = [line for part in parts for line in (*part, "")]
    return [*lines, f"Content hash: {schedule.hash}"]


def _kind(schedule: Schedule) -> list[str]:
    if schedule.kind == "table":
        lines = ["A table: fixed sample weighting for each stage, whatever the training does."]
    else:
        lines = [f"A policy: a network that sets the weighting of each stage from {', '.join(schedule.observation)}."]
    if schedule.needs_validation:
        lines.append("It needs validation data or a twin, so it can only be followed where there are some.")
    return [*lines, f"{_length(schedule)} Another training's length is stretched to fit."]


def _length(schedule: Schedule) -> str:
    warmup = {0: "no stage is warm-up", 1: "stage 0 is warm-up"}.get(
        schedule.warmup, f"stages 0 to {schedule.warmup - 1} are warm-up"
    )
    return f"{schedule.stages} stages; {warmup}{', where all samples count the same' if schedule.warmup else ''}."


def _features(schedule: Schedule) -> list[str]:
    names = schedule.action.features
    width = max(map(len, names))
    return [
        f"A sample counts p = 1 + tanh({schedule.action.gain:g} (w . f + bias)), from 0 to 2; 1 is ordinary training.",
        "Its features f:",
        *(f"  {name:{width}}  {MEANINGS[name].clause}" for name in names),
    ]


def _stages(schedule: Schedule) -> list[str]:
    rows = typical_actions(schedule)
    if not rows:
        return ["Its typical actions were not kept: it must be followed to be seen."]
    names, widths = schedule.action.features, [max(len(name), _WIDTH) for name in schedule.action.features]
    mean = "" if schedule.kind == "table" else ", on average over the trainings that confirmed it"
    columns = list(zip(names, widths, strict=True))
    return [
        f"What it does in each stage{mean}:",
        f"  {'':21}" + "".join(f"  {name:>{width}}" for name, width in columns),
        f"  {'stage':>5}{'bias':>8}{'p 0':>8}" + "".join(f"  {_HEADER:>{width}}" for width in widths),
        *(_stage_line(schedule.action, schedule.warmup + k, row, columns) for k, row in enumerate(rows)),
        "  p 0: what a sample counts whose features are all 0. Under each feature: w, its weight; p -1 and p 1, what",
        "  a sample counts for which this feature alone is -1 or 1.",
        *(_direction(schedule, name, rows) for name in names),
    ]


_HEADER = f"{'w':>6}{'p -1':>6}{'p 1':>6}"
_WIDTH = len(_HEADER)


def _stage_line(head: SampleWeights, stage: int, action: Sequence[float], columns: Sequence[tuple[str, int]]) -> str:
    (middle,) = sample_weights(head, action, columns[0][0], [0.0])
    line = f"  {stage:>5}{action[-1]:>z8.2f}{middle:>8.2f}"
    for (name, width), weight in zip(columns, action, strict=False):
        low, high = sample_weights(head, action, name, [-1.0, 1.0])
        line += f"  {f'{weight:>z6.2f}{low:>6.2f}{high:>6.2f}':>{width}}"
    return line


def _direction(schedule: Schedule, name: str, rows: Sequence[Sequence[float]]) -> str:
    column = schedule.action.features.index(name)
    more = sum(row[column] > 0 for row in rows)
    less = sum(row[column] < 0 for row in rows)
    return f"High {name} counts more in {more} of {len(rows)} stages, less in {less}."


def _origin(provenance: Mapping[str, Any]) -> list[str]:
    if not provenance:
        return ["It does not say where it was learned."]
    lines = [f"Learned by the experiment {provenance['experiment']}."] if "experiment" in provenance else []
    task = provenance.get("task", {})
    if "name" in task:
        digest = f", content hash {task['hash'][:HASH_DIGITS]}" if "hash" in task else ""
        lines.append(f"Data: {task['name']}{digest}.")
    parts = {name: entry for name, entry in task.items() if isinstance(entry, Mapping)}
    parts |= {name: provenance[name] for name in ("agent", "search") if name in provenance}
    lines += [f"  {name}: {', '.join(_flat(entry))}" for name, entry in parts.items()]
    if "training_seeds" in provenance:
        lines.append(f"Training seeds: {', '.join(map(str, provenance['training_seeds']))}.")
    lines.append(validation_gain(provenance))
    if "versions" in provenance:
        lines.append(f"Versions: {', '.join(f'{name} {text}' for name, text in provenance['versions'].items())}.")
    return lines


def _flat(entry: Mapping[str, Any], prefix: str = "") -> list[str]:
    pairs: list[str] = []
    for key, value in entry.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{key}.")
        elif value not in ("", None):
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            pairs.append(f"{prefix}{key} {text}")
    return pairs


def validation_gain(provenance: Mapping[str, Any]) -> str:
    """One sentence on what a schedule gained on the validation data of the seeds that it was chosen by."""
    gain = provenance.get("validation_gain")
    if gain is None:
        return "Its gain was not recorded."
    low, high = gain["ci95"]
    return (
        f"Validation gain on the {gain['seeds']} training seeds that it was chosen by: {gain['mean']:+.1f} points over "
        f"{gain['over']} training (95 % interval {low:.1f} to {high:.1f})."
    )
