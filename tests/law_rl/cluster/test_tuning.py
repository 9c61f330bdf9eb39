"""Tuning on Ray: what cannot run is refused, what fails is listed, and what is finished is not run again."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from law_rl.agent import AgentSpec
from law_rl.cluster.tuning import Tuned, Tuning, at_once, last_line, run_tuning
from law_rl.experiment import Experiment
from law_rl.jobs import LocalWorkers
from law_rl.resources import Resources
from law_rl.schedule import Schedule
from law_rl.search import Search
from law_rl.trials import from_record
from law_rl.tuning import Choice, Space, Uniform, with_fields
from policies.evolution import Evolution, EvolutionConfig

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.ray


def tuning(experiment: Experiment, values: Sequence[float] = (0.2, 0.8), **settings: Any) -> Tuning:
    space = Space(fields={"agent.sigma": Choice(values=tuple(values))})
    settings = {"algorithm": "grid", "workers": 0, "resources": Resources(), "space": space} | settings
    return Tuning(experiment=experiment, **settings)


def run(tuning: Tuning, storage: Path) -> Tuned:
    return run_tuning(tuning, str(storage), root=ROOT, observer=lambda trials: None)


def results(storage: Path) -> dict[str, tuple[int, int]]:
    """When and as which file each result was written."""
    files = storage.glob("*/result.json")
    return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_a_trial_finds_what_a_search_alone_finds_and_is_run_again_by_other_code_only(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path
) -> None:
    tuned = run(tuning(tiny_experiment, (0.2,), workers=1), tmp_path / "trials")
    experiment = with_fields(tiny_experiment, {"agent.sigma": 0.2})
    search = Search(experiment, LocalWorkers(experiment.setting), tmp_path / "alone", observer=lambda search: None)
    expected = search.run()
    kept = tmp_path / "trials" / tuned.best.name / "schedule.safetensors"
    assert Schedule.load(kept).hash == expected.hash
    assert kept.read_bytes() == tuned.schedule
    assert tuned.best.gain == expected.provenance["validation_gain"]["mean"]
    pool, episodes = tiny_experiment.env.pool, search.state.episodes
    exploring = [report for report in tuned.best.curve if report.episodes <= 8]
    assert [report.episodes for report in tuned.best.curve] == [2, 4, 6, 8, 12]
    for report in exploring:
        recent = episodes[report.episodes - pool : report.episodes]
        assert report.gain == pytest.approx(sum(episode.advantage for episode in recent) / pool)
    before = results(tmp_path / "trials")
    again = run(tuning(tiny_experiment, (0.2,)), tmp_path / "trials")
    assert results(tmp_path / "trials") == before
    assert (again.best, again.schedule) == (tuned.best, tuned.schedule)
    (path,) = (tmp_path / "trials").glob("*/result.json")
    path.write_text(path.read_text().replace('"law_rl": "', '"law_rl": "0.'))
    before = results(tmp_path / "trials")
    assert run(tuning(tiny_experiment, (0.2,)), tmp_path / "trials").schedule == tuned.schedule
    assert results(tmp_path / "trials") != before


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fragile(EvolutionConfig):
    """An agent that cannot be built where its step size is large."""

    def build(self, spec: AgentSpec) -> Evolution:
        if self.sigma > 0.5:
            raise RuntimeError("the step size is too much for it")
        return super().build(spec)


def test_a_trial_that_fails_for_good_is_listed_and_the_rest_counts(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray import cloudpickle

    monkeypatch.setattr("law_rl.cluster.tuning.RETRIES", 0)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    fragile = dataclasses.replace(tiny_experiment, agent=Fragile(population=4))
    tuned = run(tuning(fragile), tmp_path)
    broken = next(trial for trial in tuned.trials if trial is not tuned.best)
    assert tuned.best.fields == {"agent.sigma": 0.2}
    assert (broken.status, broken.fields) == ("error", {"agent.sigma": 0.8})
    assert broken.error == "RuntimeError: the step size is too much for it"


@pytest.mark.slow
def test_poor_trials_of_a_population_go_on_from_good_ones_the_same_way_each_time(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("law_rl.cluster.schedulers.DECISIONS", 1)
    space = Space(fields={"agent.sigma": Uniform(low=0.1, high=1.0)})
    setting = tuning(tiny_experiment, space=space, algorithm="pbt", trials=2)
    tuned = run(setting, tmp_path)
    drawn = setting.configurations()
    assert any(trial.fields not in drawn for trial in tuned.trials)
    assert all(trial.status == "finished" for trial in tuned.trials)
    for trial in tuned.trials:
        kept, record = from_record((tmp_path / trial.name / "result.json").read_bytes())
        assert kept.fields == trial.fields
        assert repr(trial.fields["agent.sigma"]) in record["seal"]["search"]["agent"]
    again = run(setting, tmp_path.with_name("again"))
    assert [(trial.fields, trial.curve) for trial in again.trials] == [
        (trial.fields, trial.curve) for trial in tuned.trials
    ]


def test_what_no_cluster_node_holds_is_refused_before_the_start(
    ray_session: ModuleType, tiny_experiment: Experiment, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="a trial's process ask for 64 CPU"):
        run(tuning(tiny_experiment, resources=Resources(cpus=64)), tmp_path)
    with pytest.raises(ValueError, match=r"the 3 workers of a trial ask for 3 CPU in 3 bundles.*fewer workers"):
        run(tuning(tiny_experiment, workers=3), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_as_many_trials_run_as_the_nodes_hold(tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"CPU": 5.0, "GPU": 1.0}, {"CPU": 3.0}]
    monkeypatch.setattr("law_rl.cluster.tuning.cluster_nodes", lambda: nodes)
    assert at_once(tuning(tiny_experiment)) == 8
    assert at_once(tuning(tiny_experiment, workers=3)) == 2
    assert at_once(tuning(tiny_experiment, workers=2, resources=Resources(cpus=2))) == 1
    assert at_once(tuning(tiny_experiment, resources=Resources(gpus=0.5))) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"workers": -1}, "workers is -1"),
        ({"resources": Resources(memory="1GiB")}, "--workers 1 or more"),
        ({"values": (0.2, 5.0)}, "sigma is 5.0"),
    ],
)
def test_settings_are_checked(tiny_experiment: Experiment, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tuning(tiny_experiment, **settings)


def test_combinations_that_are_no_experiment_are_refused(tiny_experiment: Experiment) -> None:
    space = Space(fields={"search.candidates": Choice(values=(1, 5)), "search.episodes": Choice(values=(8, 12))})
    with pytest.raises(ValueError, match=r"the space holds .*which is no experiment: search.episodes is 8"):
        tuning(tiny_experiment, space=space)


def test_the_last_line_of_an_error_is_shown(tmp_path: Path) -> None:
    (tmp_path / "error.txt").write_text("Failure # 1\nray::task()\n  File x\nValueError: bad\n\n")
    assert last_line(str(tmp_path / "error.txt")) == "ValueError: bad"
    assert "without an error" in last_line(str(tmp_path / "missing"))
