"""Episodes a second: what is counted, on trainings of a few milliseconds."""

import time
from pathlib import Path

import pytest

from benchmarks import throughput
from benchmarks.throughput import Pace, exploring, paced, table
from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers, TwinJob
from law_rl.twins import Curve


def test_known_twins_are_not_trained_again(tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    curves: dict[int, Curve] = {}
    workers = LocalWorkers(tiny_experiment.setting)
    first = paced(exploring(tiny_experiment, 4), workers, curves)
    assert set(curves) == set(tiny_experiment.env.seeds)
    monkeypatch.delattr(TwinJob, "run")
    again = paced(exploring(tiny_experiment, 4), workers, curves)
    assert again.schedule == first.schedule
    assert again.rate > 0 < again.driver_cpu_s


def test_the_pace_is_that_of_the_exploring_episodes(
    tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that ticks once a job: 5 exploring episodes take 5 ticks, whatever confirms after."""
    workers, ticks = LocalWorkers(tiny_experiment.setting), 0
    run = workers._state.run

    def ticking(job: object) -> object:
        nonlocal ticks
        ticks += 1
        return run(job)  # type: ignore[arg-type]

    curves: dict[int, Curve] = dict.fromkeys(tiny_experiment.env.seeds, (50.0,) * 5)
    monkeypatch.setattr(workers._state, "run", ticking)
    monkeypatch.setattr(time, "perf_counter", lambda: float(ticks))
    assert paced(exploring(tiny_experiment, 5), workers, curves).rate == 1.0


def test_the_table_holds_best_against_best() -> None:
    paces = {
        1: [Pace(rate=1.0, driver_cpu_s=0.1, schedule="a"), Pace(rate=0.8, driver_cpu_s=0.1, schedule="a")],
        2: [Pace(rate=1.5, driver_cpu_s=0.1, schedule="a"), Pace(rate=1.9, driver_cpu_s=0.3, schedule="a")],
    }
    assert table(paces).splitlines()[-1] == "| 2 | 1.900 | 1.700 | 1.90 | 0.2000 |"


def test_shares_of_a_gpu_are_shown_with_their_memory() -> None:
    pace = Pace(rate=1.0, driver_cpu_s=0.1, schedule="a", gpu_mib=600.0)
    assert table({1: [pace]}).splitlines()[-1] == "| 1 | 1.000 | 1.000 | 1.00 | 0.1000 | 600 |"
    task = throughput.on_device(throughput.quickstart, "cuda").task
    assert (task.device, task.training.deterministic) == ("cuda", True)  # type: ignore[attr-defined]


@pytest.mark.ray
def test_ray_workers_end_with_the_schedule_of_this_process(
    ray_session: None, tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(throughput, "quickstart", tiny_experiment)
    throughput.main(["--episodes", "4", "--rounds", "1", "--workers", "0", "1", "--out", str(tmp_path)])
    assert "| in process |" in (tmp_path / "throughput.md").read_text()
