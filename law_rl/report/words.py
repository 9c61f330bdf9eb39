"""A schedule in plain words and numbers."""

import re
from collections.abc import Mapping
from typing import Any

from law_rl.report.effects import usual
from law_rl.report.outcome import validation_gain
from law_rl.report.stage_words import stage_paragraphs
from law_rl.schedule import Schedule

HASH_DIGITS = 12


def describe_schedule(schedule: Schedule) -> list[str]:
    """What a schedule does, for what it was learned and what it gained, as lines of text."""
    parts = (_kind(schedule), *stage_paragraphs(schedule), _origin(schedule.provenance))
    lines = [line for part in parts for line in (*part, "")]
    return [*lines, f"Content hash: {schedule.hash}"]


def _kind(schedule: Schedule) -> list[str]:
    if schedule.kind == "table":
        lines = ["A table: a fixed directive for each stage, whatever the training does."]
    else:
        lines = [f"A policy: a network that sets the directive of each stage from {', '.join(schedule.observation)}."]
    if schedule.needs_validation:
        lines.append("It needs validation data or a twin, so it can only be followed where there are some.")
    return [*lines, f"{_length(schedule)} Another training's length is stretched to fit."]


def _length(schedule: Schedule) -> str:
    warmup = {0: "no stage is warm-up", 1: "stage 0 is warm-up"}.get(
        schedule.warmup, f"stages 0 to {schedule.warmup - 1} are warm-up"
    )
    return f"{schedule.stages} stages; {warmup}{f', with {usual(schedule.action)}' if schedule.warmup else ''}."


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
            entries = value if isinstance(value, list) else [value]
            pairs.append(f"{prefix}{key} {' '.join(map(_short, entries))}")
    return pairs


def _short(value: Any) -> str:
    """The value as text, a SHA-256 by its first digits."""
    text = str(value)
    return text[:HASH_DIGITS] if re.fullmatch("[0-9a-f]{64}", text) else text
