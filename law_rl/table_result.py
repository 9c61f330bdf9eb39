"""What a table found: every metric of every seed, with intervals and paired gains."""

import importlib.metadata
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import law_rl
from law_rl.jobs import Measurement
from law_rl.run import resolved
from law_rl.schedule import Schedule
from law_rl.selection import PROVENANCE_PACKAGES
from law_rl.statistics import Interval, mean_interval
from law_rl.table import Learned, Row, Table


@dataclass(frozen=True, kw_only=True)
class TableResult:
    """The measurements of every row, in the order of the table's seeds, and the schedules of its learned rows."""

    table: Table
    measured: Mapping[str, tuple[Measurement, ...]]
    schedules: Mapping[str, Schedule]

    def values(self, name: str, metric: str) -> tuple[float, ...]:
        """One value a seed; ValueError where the row did not measure that."""
        measurements = self.measured[name]
        check_metrics((metric,), measurements[0].metrics, name)
        return tuple(measurement.metrics[metric] for measurement in measurements)

    def interval(self, name: str, metric: str) -> Interval | None:
        """The mean over seeds; None where a seed's value is not finite."""
        return finite_interval(self.values(name, metric))

    def gain(self, row: Row, metric: str = "") -> Interval | None:
        """The paired difference to the row's control in a metric, by default the table's; None where either is not
        finite, or where there is no control.
        """
        if not row.over:
            return None
        metric = metric or self.table.metric
        pairs = zip(self.values(row.name, metric), self.values(row.over, metric), strict=True)
        return finite_interval(tuple(mine - other for mine, other in pairs))

    def iterations(self, name: str) -> int:
        """The iterations of a whole training of a row."""
        return max(measurement.iterations for measurement in self.measured[name])

    def failures(self, name: str) -> dict[int, str]:
        """Why trainings of a row could not go on, by seed."""
        measured = zip(self.table.seeds, self.measured[name], strict=True)
        return {seed: measurement.failure for seed, measurement in measured if measurement.failure}

    def remarks(self, row: Row) -> str:
        """The row's note, and all that the reader must know beside it."""
        parts = [row.note, f"unequal budget: {row.unequal}" if row.unequal else ""]
        if isinstance(row.curriculum, Learned):
            gain = self.schedules[row.name].provenance["validation_gain"]["mean"]
            trainings = searched_trainings(row.curriculum)
            parts.append(f"schedule searched in {trainings} trainings, with {gain:+.2f} points in validation")
        if row.over and (mine := self.iterations(row.name)) != (other := self.iterations(row.over)):
            parts.append(f"{mine} iterations, {row.over} {other}")
        reasons = Counter(self.failures(row.name).values())
        parts += [f"{count} of {len(self.table.seeds)} trainings failed: {why}" for why, count in reasons.items()]
        return "; ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """The contents of table.json; null stands for what is not finite."""
        table = self.table
        packages = {name: importlib.metadata.version(name) for name in PROVENANCE_PACKAGES}
        return {
            "table": table.name,
            "title": table.title,
            "metric": table.metric,
            "metrics": list(table.metrics),
            "seeds": list(table.seeds),
            "rows": [self._row_json(row) for row in table.rows],
            "versions": {"law-rl": law_rl.__version__, **packages},
        }

    def _row_json(self, row: Row) -> dict[str, Any]:
        schedule = self.schedules.get(row.name)
        gain = self.gain(row)
        return {
            "name": row.name,
            "epochs": row.epochs,
            "iterations": self.iterations(row.name),
            "metrics": {metric: self._metric_json(row, metric) for metric in self.measured[row.name][0].metrics},
            "gain": _gain_json(row, gain),
            "gains": {metric: _gain_json(row, self.gain(row, metric)) for metric in self.table.gains},
            "over": row.over,
            "note": row.note,
            "unequal": row.unequal,
            "remarks": self.remarks(row),
            "failures": {str(seed): why for seed, why in self.failures(row.name).items()},
            "schedule": schedule and {"sha256": schedule.hash, "gain": schedule.provenance["validation_gain"]},
            "task": configuration(row.task),
            "curriculum": configuration(row.curriculum),
        }

    def _metric_json(self, row: Row, metric: str) -> dict[str, Any]:
        values, interval = self.values(row.name, metric), self.interval(row.name, metric)
        statistics = interval.to_json() if interval else {"mean": None, "ci95": None}
        return statistics | {"values": [value if math.isfinite(value) else None for value in values]}


def _gain_json(row: Row, gain: Interval | None) -> dict[str, Any] | None:
    return {"over": row.over} | gain.to_json() | {"excludes_zero": excludes_zero(gain)} if gain else None


def finite_interval(values: tuple[float, ...]) -> Interval | None:
    """The mean with its 95 % interval; None where a value is not finite."""
    return mean_interval(values) if all(map(math.isfinite, values)) else None


def excludes_zero(interval: Interval) -> bool:
    """Whether the whole interval is on one side of 0."""
    return interval.low > 0 or interval.high < 0


def searched_trainings(learned: Learned) -> int:
    """The trainings that the search of a schedule takes, twins among them."""
    return learned.experiment.env.pool + learned.experiment.search.episodes


def check_metrics(wanted: tuple[str, ...], measured: Mapping[str, float], row: str) -> None:
    """ValueError for the first metric that a row's trainings do not measure."""
    for metric in wanted:
        if metric not in measured:
            raise ValueError(
                f"row {row} measures no {metric}: let the table's metrics name some of {', '.join(measured)}"
            )


def configuration(value: Any) -> dict[str, Any]:
    """A task or a curriculum as JSON values: its class, and its fields with defaults filled in."""
    if isinstance(value, Learned):
        return {"class": "Learned", "experiment": resolved(value.experiment)}
    fields = asdict(value) if is_dataclass(value) and not isinstance(value, type) else {}
    values: dict[str, Any] = json.loads(json.dumps(fields, default=repr))
    return {"class": type(value).__name__, **values}
