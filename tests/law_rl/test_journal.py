"""The journal: what it keeps comes back, and a disk that is full loses nothing that was finished."""

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest

from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers
from law_rl.journal import SHARE_OF_TIME, Journal
from law_rl.search import Search


def ignore(search: Search) -> None:
    pass


def test_trainings_come_back(tiny_experiment: Experiment, tmp_path: Path) -> None:
    search = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path, observer=ignore)
    search.run()
    journal = Journal(tmp_path / "checkpoints")
    assert journal.twins() == search.state.curves
    kept = journal.episodes()
    assert sorted(kept) == list(range(tiny_experiment.search.episodes))
    for index, episode in enumerate(search.state.episodes):
        assert {name: repr(value) for name, value in vars(kept[index]).items()} == {
            name: repr(value) for name, value in vars(episode).items()
        }


def test_the_state_is_saved_so_rarely_that_it_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    journal = Journal(tmp_path)
    assert journal.is_due

    def slow_fsync(descriptor: int) -> None:
        clock[0] += 3.0

    monkeypatch.setattr(os, "fsync", slow_fsync)
    journal.save_state({})
    clock[0] += 3.0 / SHARE_OF_TIME - 1
    assert not journal.is_due
    clock[0] += 1
    assert journal.is_due


@pytest.mark.parametrize("writes", [0, 1, 3, 6, 11, 14])
def test_a_full_disk_stops_a_search_that_resumes_to_the_same_schedule(
    tiny_experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    expected = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path / "a", observer=ignore).run()
    done = 0

    def fsync(descriptor: int, sync: Any = os.fsync) -> None:
        nonlocal done
        if done >= writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        done += 1
        sync(descriptor)

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "fsync", fsync)
        search = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path / "b", observer=ignore)
        with pytest.raises(OSError, match=r"No space left on device.*checkpoints"):
            search.run()
    assert not list((tmp_path / "b").rglob("*.tmp"))
    resumed = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path / "b", observer=ignore)
    if resumed.journal.exists:
        resumed.resume()
        assert resumed.trainings_done == len(list((tmp_path / "b").rglob("twins/*"))) + len(
            list((tmp_path / "b").rglob("episodes/*"))
        )
    assert resumed.run().hash == expected.hash
