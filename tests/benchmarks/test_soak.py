"""The soak: who is killed when, and one short run with kills."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import soak
from benchmarks.soak import Killer, Options, quarter, resident_mib
from law_rl.experiment import Experiment


def kills_of(monkeypatch: pytest.MonkeyPatch, *, every: int, results: int, absent: range = range(0)) -> list[int]:
    """The results after which a killer kills, when no worker lives during `absent`."""
    times: list[int] = []
    killer = Killer(every, SimpleNamespace(show=lambda done: None))  # type: ignore[arg-type]
    monkeypatch.setattr(soak, "actor_processes", lambda kind: [] if len(killer.memory) - 1 in absent else [111, 222])
    monkeypatch.setattr(os, "kill", lambda process, number: times.append(len(killer.memory) - 1))
    for _ in range(results):
        killer(SimpleNamespace())  # type: ignore[arg-type]
    return times


def test_one_result_in_each_so_many_is_followed_by_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    times = kills_of(monkeypatch, every=20, results=200)
    assert [time // 20 for time in times] == list(range(10))
    assert len({time % 20 for time in times}) > 3
    assert times == kills_of(monkeypatch, every=20, results=200)


def test_a_kill_waits_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = kills_of(monkeypatch, every=20, results=100)
    late = kills_of(monkeypatch, every=20, results=100, absent=range(first, first + 3))
    assert late[:2] == [first + 3, max(second, first + 4)]


def test_quarters_and_memory() -> None:
    assert quarter([1.0, 1.0, 2.0, 4.0, 5.0, 5.0, 6.0, 8.0], 1) == 3.0
    assert quarter([1.0, 1.0, 2.0, 4.0, 5.0, 5.0, 6.0, 8.0], 3) == 7.0
    assert 20 < resident_mib() < 20_000


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match="episodes 19"):
        Options(episodes=19, every=10)


@pytest.mark.ray
def test_a_short_soak(
    ray_session: None, tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed: list[int] = []
    kill = os.kill

    def counted(process: int, number: int) -> None:
        if number == signal.SIGKILL:
            killed.append(process)
        kill(process, number)

    def short(options: Any) -> Experiment:
        return replace(tiny_experiment, search=replace(tiny_experiment.search, episodes=options.episodes))

    monkeypatch.setattr(soak, "short_search", short)
    monkeypatch.setattr(os, "kill", counted)
    soak.main(["--episodes", "14", "--every", "7", "--out", str(tmp_path)])
    result = json.loads((tmp_path / "soak.json").read_text())
    assert result["episodes"] == 14
    assert result["kills"] == len(set(killed)) >= 2
    assert result["same_schedule"]
