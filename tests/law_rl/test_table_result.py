"""Numbers of a table: intervals, paired gains, and what is said beside them."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

import law_rl
from law_rl.actions import SampleWeights
from law_rl.actor import TableActor
from law_rl.jobs import Measurement
from law_rl.schedule import Schedule
from law_rl.statistics import Interval
from law_rl.table import Learned, Row, Table
from law_rl.table_result import TableResult, configuration, excludes_zero
from policies.baselines import RandomWeights
from tests.conftest import make_tiny_experiment
from tests.law_rl.tables import row, table, task

UNIFORM, BETTER = (70.0, 72.5, 71.25), (74.0, 77.0, 75.0)


def measured(accuracies: tuple[float, ...], *, iterations: int = 16, failure: str = "") -> tuple[Measurement, ...]:
    return tuple(
        Measurement(metrics={"accuracy": one, "loss": 1 - one / 100}, iterations=iterations, failure=failure)
        for one in accuracies
    )


def result(*rows: Row, **measurements: tuple[Measurement, ...]) -> TableResult:
    """Rows a (the control) and b, or those given."""
    made = table(*(rows or (row("a", over=""), row("b", over="a"))), metrics=("loss",))
    found = {"a": measured(UNIFORM), "b": measured(BETTER)} | measurements
    return TableResult(table=made, measured={one.name: found[one.name] for one in made.rows}, schedules={})


def test_gains_are_paired_t_intervals() -> None:
    found = result()
    differences = np.subtract(BETTER, UNIFORM)
    half = stats.t.ppf(0.975, 2) * differences.std(ddof=1) / math.sqrt(3)
    gain = found.gain(found.table.row("b"))
    assert gain is not None
    assert (gain.mean, gain.low, gain.high) == pytest.approx(
        (differences.mean(), differences.mean() - half, differences.mean() + half)
    )
    assert found.gain(found.table.row("a")) is None
    loss = found.interval("b", "loss")
    assert loss is not None and loss.mean == pytest.approx(1 - np.mean(BETTER) / 100)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 1.0, True), (-1.0, -0.1, True), (-0.1, 0.1, False), (0.0, 1.0, False)]
)
def test_an_interval_excludes_zero_where_it_is_on_one_side(low: float, high: float, expected: bool) -> None:
    assert excludes_zero(Interval(mean=(low + high) / 2, low=low, high=high)) is expected


def test_the_json_holds_every_value_and_what_it_was_measured_on() -> None:
    found = json.loads(json.dumps(result().to_json(), allow_nan=False))
    assert found["seeds"] == [1000, 1001, 1002]
    assert found["versions"]["law-rl"] == law_rl.__version__
    assert "torch" in found["versions"]
    control, better = found["rows"]
    assert better["metrics"]["accuracy"]["values"] == list(BETTER)
    assert set(better["metrics"]) == {"accuracy", "loss"}
    assert control["gain"] is None
    assert better["gain"]["over"] == "a"
    assert better["gain"]["mean"] == pytest.approx(np.mean(np.subtract(BETTER, UNIFORM)))
    assert better["gain"]["ci95"][0] < better["gain"]["mean"] < better["gain"]["ci95"][1]
    assert better["gain"]["excludes_zero"] is True
    assert (better["epochs"], better["iterations"]) == (4, 16)
    assert better["task"]["class"] == "ClassificationTask"
    assert better["task"]["training"]["batch_size"] == 32
    assert better["curriculum"] == {"class": "UniformWeights", "name": "uniform"}


def test_a_configuration_names_class_and_fields() -> None:
    assert configuration(RandomWeights(seed=3)) == {"class": "RandomWeights", "seed": 3, "name": "random"}
    learned = configuration(Learned(experiment=make_tiny_experiment()))
    assert learned["class"] == "Learned"
    assert learned["experiment"]["search"]["episodes"] == 12


def test_what_is_not_finite_has_no_interval_and_no_gain() -> None:
    found = result(b=measured((74.0, math.nan, 75.0)))
    assert found.interval("b", "accuracy") is None
    assert found.gain(found.table.row("b")) is None
    entry = found.to_json()["rows"][1]
    assert entry["metrics"]["accuracy"] == {"mean": None, "ci95": None, "values": [74.0, None, 75.0]}
    assert entry["gain"] is None


def test_a_metric_that_was_not_measured_is_named() -> None:
    found = result()
    with pytest.raises(ValueError, match="row b measures no map: let the table's metrics name some of accuracy, loss"):
        found.values("b", "map")


def remarks(second: Row, **measurements: tuple[Measurement, ...]) -> str:
    found = result(row("a", over=""), second, **measurements)
    return found.remarks(second)


def test_remarks_tell_what_the_reader_must_know() -> None:
    assert remarks(row("b", over="a")) == ""
    assert remarks(row("b", over="a", note="as published")) == "as published"
    long = row("b", over="a", note="as published", task=task(epochs=8), unequal="four stages of 8 epochs there")
    assert remarks(long, b=measured(BETTER, iterations=32)) == (
        "as published; unequal budget: four stages of 8 epochs there; 32 iterations, a 16"
    )
    failed = measured(BETTER[:1], failure="the training loss is not finite", iterations=4) + measured(BETTER[1:])
    assert remarks(row("b", over="a"), b=failed) == "1 of 3 trainings failed: the training loss is not finite"


def test_a_learned_row_tells_what_its_search_took_and_found() -> None:
    learned = row("b", over="a", curriculum=Learned(experiment=make_tiny_experiment()))
    gain = {"over": "uniform", "mean": 1.5, "ci95": [0.5, 2.5], "seeds": 2}
    schedule = Schedule(
        actor=TableActor(actions=torch.zeros(3, 3)),
        action=SampleWeights(features=("loss", "entropy")),
        observation=("progress",),
        stages=4,
        warmup=1,
        memory_decay=0.8,
        provenance={"validation_gain": gain},
    )
    found = dataclasses.replace(result(row("a", over=""), learned), schedules={"b": schedule})
    assert found.remarks(learned) == "schedule searched in 14 trainings, with +1.50 points in validation"
    control, entry = found.to_json()["rows"]
    assert entry["schedule"] == {"sha256": schedule.hash, "gain": gain}
    assert control["schedule"] is None


def test_failures_are_known_by_seed() -> None:
    failed = measured(BETTER[:2]) + measured(BETTER[2:], failure="too hot")
    found = result(b=failed)
    assert found.failures("b") == {1002: "too hot"}
    assert found.to_json()["rows"][1]["failures"] == {"1002": "too hot"}


def test_results_are_compared_on_the_same_seeds() -> None:
    found = result()
    short: Table = dataclasses.replace(found.table, evaluation=dataclasses.replace(found.table.evaluation, seeds=2))
    with pytest.raises(ValueError, match="zip"):
        dataclasses.replace(found, table=short).failures("b")


def test_gains_of_other_metrics_are_paired_too() -> None:
    found = result()
    found = dataclasses.replace(found, table=dataclasses.replace(found.table, gains=("loss",)))
    control, better = found.to_json()["rows"]
    assert control["gains"] == {"loss": None}
    assert better["gains"]["loss"]["mean"] == pytest.approx(np.mean(np.subtract(UNIFORM, BETTER)) / 100)


def test_gains_of_what_is_not_shown_are_refused() -> None:
    with pytest.raises(ValueError, match="gains names loss, which the table does not show"):
        table(gains=("loss",))
