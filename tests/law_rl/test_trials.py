"""Trials: the best is a finished one with a finite gain, and records come back as they were written."""

import dataclasses
import math

import pytest

from law_rl.experiment import Experiment
from law_rl.trials import FLOOR, Report, Trial, best, from_record, ranked, seal, to_record, trial_name


def trial(name: str, gain: float, status: str = "finished") -> Trial:
    return Trial(name=name, fields={"a": 1}, status=status, curve=[Report(episodes=4, gain=gain)])  # type: ignore[arg-type]


@pytest.mark.parametrize("gain", [math.nan, math.inf, -math.inf])
def test_a_gain_that_is_no_number_is_reported_as_a_failure(gain: float) -> None:
    report = Report.of(5, gain)
    assert report.gain == FLOOR
    assert str(gain) in report.failure
    assert Report.of(5, 1.5) == Report(episodes=5, gain=1.5)


@pytest.mark.parametrize("gain", [math.nan, math.inf, -math.inf])
def test_a_gain_that_is_no_number_never_wins(gain: float) -> None:
    trials = [trial("a", gain), trial("b", -5.0), trial("c", -7.0)]
    assert best(trials).name == "b"
    assert [entry.name for entry in ranked(trials)] == ["b", "c", "a"]
    with pytest.raises(ValueError, match="none of 1 trials"):
        best(trials[:1])


def test_only_finished_trials_win_and_ties_go_to_the_first() -> None:
    trials = [trial("d", 2.0), trial("c", 2.0), trial("b", 9.0, "stopped"), trial("a", 9.0, "error")]
    assert best(trials).name == "c"


def test_no_finished_trial_is_said_with_the_reason() -> None:
    failed = Trial(name="a", fields={}, status="error", error="no memory")
    with pytest.raises(ValueError, match=r"none of 1 trials .*a: no memory.*--resume"):
        best([failed])


def test_records_round_trip(tiny_experiment: Experiment) -> None:
    written = Trial(name="a", fields={"x": (1, ("y", None))}, status="finished", curve=[Report.of(2, 1.0)])
    kept, record = from_record(to_record(written, tiny_experiment, schedule="abc"))
    assert kept == written
    assert record["schedule"] == "abc"
    assert record["seal"] == seal(tiny_experiment)
    with pytest.raises(ValueError, match="damaged"):
        from_record(b"{}")


def test_the_seal_is_of_the_code_and_the_search(tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seal(tiny_experiment)
    other = dataclasses.replace(tiny_experiment.search, seed=1)
    assert seal(dataclasses.replace(tiny_experiment, search=other)) != before
    monkeypatch.setattr("law_rl.__version__", "0.0.0")
    assert seal(tiny_experiment) != before


def test_a_trials_name_is_a_function_of_its_number_and_configuration() -> None:
    name = trial_name(3, {"a": 1, "b": 2.0})
    assert name.startswith("003-")
    assert name == trial_name(3, {"b": 2.0, "a": 1})
    assert len({name, trial_name(4, {"a": 1, "b": 2.0}), trial_name(3, {"a": 1, "b": 2.5})}) == 3
