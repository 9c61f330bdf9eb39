"""Waiting in virtual time, against cases whose answer is known."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scale
from benchmarks.scale import Case, EpisodeMaker, Result, simulate
from benchmarks.simulation import Change, Clock, Duplicates, FleetConfig, SimulatedWorkers, waiting
from experiments.quickstart import experiment as quickstart
from law_rl.agent import Episode
from law_rl.experiment import Experiment
from law_rl.search import Search

STEADY = FleetConfig(workers=4, stages=10, spread=0.0, death=0.0)


def case(fleet: FleetConfig, lag: int, episodes: int) -> Case:
    return Case(agent="CMA-ES", fleet=fleet, lag=lag, episodes=episodes)


def run(fleet: FleetConfig, *, lag: int, episodes: int) -> Result:
    return simulate(case(fleet, lag, episodes))


def test_nobody_waits_for_a_quick_driver_and_a_long_lag() -> None:
    result = run(STEADY, lag=8, episodes=40)
    assert result.waiting_for_driver < 0.01
    assert result.waiting_for_order == pytest.approx(0.0, abs=0.01)
    assert result.lost == 0.0
    assert result.hours == pytest.approx(10 * 300 / 3600, rel=0.01)


def test_a_lag_of_one_keeps_all_but_one_waiting_for_the_order() -> None:
    result = run(STEADY, lag=1, episodes=12)
    assert result.waiting_for_order == pytest.approx(0.75, abs=0.01)
    assert result.waiting_for_driver < 0.01


def test_a_driver_that_cannot_keep_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 s of driver an episode keep two of the four workers busy."""
    take = scale.SampledAgent.take

    def slow(agent: Any, index: int, actor: Any, episode: Episode) -> None:
        take(agent, index, actor, episode)
        agent._clock.work(150.0)

    monkeypatch.setattr(scale.SampledAgent, "take", slow)
    result = run(STEADY, lag=4, episodes=60)
    assert result.driver_ms == pytest.approx(150_000, rel=0.02)
    assert result.waiting_for_driver == pytest.approx(0.5, abs=0.05)
    assert result.waiting_for_order < 0.02


def test_deaths_cost_time() -> None:
    fleet = replace(STEADY, death=0.3, workers=8)
    result = run(fleet, lag=16, episodes=80)
    assert result.deaths > 10
    assert result.lost > 0.05


def explored(fleet: FleetConfig) -> tuple[list[Episode], SimulatedWorkers]:
    config = case(fleet, lag=8, episodes=30)
    clock = Clock()
    experiment: Experiment = scale.experiment_of(config, clock)
    workers = SimulatedWorkers(fleet, clock, EpisodeMaker(experiment))
    with tempfile.TemporaryDirectory() as directory:
        search = Search(experiment, workers, Path(directory), observer=lambda search: None)
        search.state.curves.update(dict.fromkeys(quickstart.env.seeds, (70.0,) * 11))
        search._explore()
    return search.state.episodes, workers


@pytest.mark.parametrize("duplicates", ["never", "blocking", "reruns"])
def test_deaths_and_duplicates_lose_no_episode_and_change_none(duplicates: Duplicates) -> None:
    expected, _ = explored(STEADY)
    episodes, workers = explored(replace(STEADY, spread=0.2, death=0.3, duplicates=duplicates))
    assert workers.deaths > 3
    assert len(workers._cancelled) > 0 or duplicates == "never"
    assert len(episodes) == 30
    assert all(a.metric == b.metric and a.actions.equal(b.actions) for a, b in zip(episodes, expected, strict=True))


def test_waiting_is_split_at_what_a_quick_driver_would_have_handed_out() -> None:
    """Two workers, lag 2: episode 0 ends at 10 and is handled at 15; its worker begins episode 2, while 1 runs on."""
    changes = [
        Change(0.0, waiting=-1, episode=0, copies=1),
        Change(0.0, waiting=-1, episode=1, copies=1),
        Change(10.0, waiting=1, episode=0, copies=-1, finished=True),
        Change(15.0, waiting=-1, episode=2, copies=1),
        Change(20.0, waiting=1, episode=2, copies=-1, finished=True),
        Change(30.0, waiting=1, episode=1, copies=-1, finished=True),
    ]
    shares = waiting(changes, replace(STEADY, workers=2), lag=2, episodes=9, begin=0.0, end=30.0)
    assert shares.driver == pytest.approx(5 / 60)
    assert shares.order == pytest.approx(10 / 60)


def test_the_virtual_clock_counts_only_the_drivers_time() -> None:
    clock = Clock()
    with clock.aside():
        before = clock.now()
        sum(range(10**5))
        clock.jump_to(before + 100.0)
    clock.work(7.0)
    assert 107.0 <= clock.now() - before < 107.5
    assert 7.0 <= clock.driver_s < 8.0


def test_the_table_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(scale, "PLANS", ((4, 2, "never"), (2000, 2, "never")))
    scale.main(["--rounds", "4", "--update-sample", "1000", "--agents", "CMA-ES", "--out", str(tmp_path)])
    (row,) = [line for line in (tmp_path / "scale.md").read_text().splitlines() if line.startswith("| CMA-ES")]
    assert row.split(" | ")[1:5] == ["4", "8", "16", "never"]
    assert row in capsys.readouterr().out
    monkeypatch.delattr(scale, "simulate")  # what was measured is kept
    scale.main(["--rounds", "4", "--update-sample", "1000", "--agents", "CMA-ES", "--out", str(tmp_path)])
    assert row in capsys.readouterr().out
