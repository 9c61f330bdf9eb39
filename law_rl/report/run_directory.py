"""What a run directory holds, read back for people to look at."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from law_rl.evaluate import LEARNED
from law_rl.schedule import Schedule
from law_rl.statistics import Interval, mean_interval


@dataclass(frozen=True, kw_only=True)
class EpisodeRow:
    """One episode of the search; `advantage` is its gain over the twin in points."""

    episode: int
    phase: str
    candidate: int
    advantage: float
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One curriculum on the evaluation's seeds; `gain` over the curriculum compared with, None for that one itself."""

    name: str
    interval: Interval
    values: tuple[float, ...]
    gain: Interval | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """An evaluation, best mean first."""

    metric: str
    seeds: int
    over: str
    rows: tuple[Measured, ...]
    gap_closed: float | None

    def row(self, name: str) -> Measured:
        return next(row for row in self.rows if row.name == name)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as its files tell it; `comparison` is None where it was stopped before its evaluation."""

    name: str
    config: Any
    episodes: tuple[EpisodeRow, ...]
    stages: tuple[Mapping[str, float], ...]
    search: Mapping[str, Any]
    comparison: Comparison | None
    schedule: Schedule


def read_run(directory: Path) -> Run:
    """The run of a directory; FileNotFoundError in one sentence where its search has not ended."""
    schedule = Schedule.load(directory / "schedule.safetensors")
    result_file = directory / "result.json"
    result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.is_file() else {}
    return Run(
        name=str(result.get("experiment") or schedule.provenance.get("experiment") or directory.resolve().name),
        config=json.loads(_existing(directory / "config.json").read_text(encoding="utf-8")),
        episodes=tuple(_episode(row) for row in _rows(directory / "episodes.csv")),
        stages=tuple({key: _number(text) for key, text in row.items()} for row in _rows(directory / "stages.csv")),
        search=result.get("search", {}),
        comparison=_comparison(result) if "schedules" in result else None,
        schedule=schedule,
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: give the directory of a run whose search has ended")
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with _existing(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _episode(row: Mapping[str, str]) -> EpisodeRow:
    return EpisodeRow(
        episode=int(row["episode"]),
        phase=row["phase"],
        candidate=int(row["candidate"]),
        advantage=_number(row["advantage"]),
        failed=bool(row["failure"]),
    )


def _interval(entry: Mapping[str, Any]) -> Interval:
    return Interval(mean=entry["mean"], low=entry["ci95"][0], high=entry["ci95"][1])


def _comparison(result: Mapping[str, Any]) -> Comparison:
    schedules, over = result["schedules"], result["gain"]["over"]
    base = schedules[over]["values"]
    gains = {
        name: mean_interval([a - b for a, b in zip(entry["values"], base, strict=True)])
        for name, entry in schedules.items()
        if name != over
    }
    gains[LEARNED] = _interval(result["gain"])
    rows = [
        Measured(name=name, interval=_interval(entry), values=tuple(entry["values"]), gain=gains.get(name))
        for name, entry in schedules.items()
    ]
    return Comparison(
        metric=result["metric"],
        seeds=len(result["seeds"]),
        over=over,
        rows=tuple(sorted(rows, key=lambda row: -row.interval.mean)),
        gap_closed=result["gap_closed"],
    )
