"""Making tables: what is trained, what is kept, and what is not trained again."""

import dataclasses
import json
import math
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from rich.console import Console

from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.task import ClassificationTask
from law_rl.evaluate import Follow
from law_rl.experiment import Experiment
from law_rl.failures import JobFailed
from law_rl.jobs import LocalWorkers
from law_rl.learner import Directive, Learner
from law_rl.progress import Progress
from law_rl.report.table_files import write_table
from law_rl.run import RunError
from law_rl.schedule import Schedule
from law_rl.search import Search
from law_rl.table import Learned, Table
from law_rl.table_result import TableResult
from law_rl.table_run import KeptMeasurements, make_table
from policies.baselines import Oracle, UniformWeights
from tests.law_rl.tables import noting, row, silent, table, task


def make(
    wanted: Table, directory: Path, submitted: list[str] | None = None, progress: Progress | None = None
) -> TableResult:
    opened = noting([] if submitted is None else submitted)
    return make_table(wanted, directory, open_workers=opened, progress=progress or silent())


class Stopping(Progress):
    """Stops the run, as Ctrl-C would, once so many trainings of the table are done."""

    def __init__(self, after: int) -> None:
        super().__init__(Console(file=StringIO()))
        self._after = after

    def table(self, done: int, total: int) -> None:
        if done == self._after:
            raise KeyboardInterrupt


def trained_by_hand(
    trained: ClassificationTask, directed: Callable[[Learner], Directive], seed: int
) -> dict[str, float]:
    learner = trained.learner(seed)
    while learner.stage < learner.stages:
        learner.train_stage(directed(learner))
    return learner.evaluate("test")


def test_every_row_is_trained_on_every_unseen_seed_without_warm_up(tmp_path: Path) -> None:
    wanted = table()
    result = make(wanted, tmp_path)
    assert wanted.seeds == (1000, 1001, 1002)
    for one in wanted.rows:
        assert not isinstance(one.curriculum, Learned) and isinstance(one.task, ClassificationTask)
        expected = [trained_by_hand(one.task, one.curriculum.directive, seed) for seed in wanted.seeds]
        assert [measurement.metrics for measurement in result.measured[one.name]] == expected
    assert result.iterations("uniform") == 4 * math.ceil(120 / 32)
    assert result.iterations("small batches") == 4 * math.ceil(120 / 16)


def test_a_stopped_table_trains_only_what_is_missing(tmp_path: Path) -> None:
    wanted, first, second = table(), list[str](), list[str]()
    with pytest.raises(KeyboardInterrupt):
        make(wanted, tmp_path / "stopped", first, Stopping(after=5))
    assert len(first) == 9
    resumed = make(wanted, tmp_path / "stopped", second)
    assert second == ["focal seed 1002", *(f"small batches seed {seed}" for seed in wanted.seeds)]
    assert resumed.to_json() == make(wanted, tmp_path / "whole").to_json()


def test_a_finished_table_opens_no_workers_and_makes_no_learner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make(table(), tmp_path)
    monkeypatch.delattr(ClassificationTask, "learner")

    def refuse(setting: object) -> Any:
        raise AssertionError("nothing is left to train")

    again = make_table(table(), tmp_path, open_workers=refuse, progress=silent())
    assert again.to_json() == before.to_json()


def test_rows_and_seeds_can_be_added_and_a_changed_row_is_trained_anew(tmp_path: Path) -> None:
    submitted: list[str] = []
    make(table(row("uniform", over=""), row("a", curriculum=Oracle()), seeds=2), tmp_path, submitted)
    submitted.clear()
    grown = table(row("uniform", over=""), row("a", curriculum=Oracle()), row("b", task=task(batch_size=16)))
    make(grown, tmp_path, submitted)
    assert set(submitted) == {"uniform seed 1002", "a seed 1002", *(f"b seed {seed}" for seed in (1000, 1001, 1002))}
    submitted.clear()
    make(grown.only(["a"]), tmp_path, submitted)
    assert submitted == []
    changed = table(row("uniform", over=""), row("a", curriculum=Oracle()), row("b", task=task(batch_size=24)))
    make(changed, tmp_path, submitted)
    assert set(submitted) == {f"b seed {seed}" for seed in (1000, 1001, 1002)}


def test_another_version_of_the_code_trusts_nothing_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[str] = []
    wanted = table(row("uniform", over=""), seeds=2)
    make(wanted, tmp_path, submitted)
    monkeypatch.setattr("law_rl.__version__", "0.0.0")
    make(wanted, tmp_path, submitted)
    assert submitted == 2 * ["uniform seed 1000", "uniform seed 1001"]


def test_rows_that_train_alike_share_their_trainings(tmp_path: Path) -> None:
    submitted: list[str] = []
    result = make(table(row("uniform", over=""), row("same"), seeds=2), tmp_path, submitted)
    assert len(submitted) == 2
    assert result.measured["uniform"] == result.measured["same"]


def learned_table(experiment: Experiment, **fields: Any) -> Table:
    learned = Learned(experiment=experiment)
    return table(row("uniform", over=""), row("learned", curriculum=learned, **fields), seeds=2)


def test_a_learned_row_is_searched_first_and_then_followed(tiny_experiment: Experiment, tmp_path: Path) -> None:
    submitted: list[str] = []
    result = make(learned_table(tiny_experiment), tmp_path, submitted)
    assert submitted[0] == "twin 0"
    assert sum(name.startswith("episode") for name in submitted) == 12
    (path,) = tmp_path.glob("searches/tiny-*/schedule.safetensors")
    alone = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path / "alone", observer=lambda _: None)
    schedule = Schedule.load(path)
    assert schedule.hash == alone.run().hash == result.schedules["learned"].hash
    expected = trained_by_hand(task(), Follow(schedule=schedule).directive, 1000)
    assert result.measured["learned"][0].metrics == expected
    assert {"config.json", "episodes.csv", "stages.csv", "checkpoints"} <= {one.name for one in path.parent.iterdir()}
    submitted.clear()
    assert make(learned_table(tiny_experiment), tmp_path, submitted).to_json() == result.to_json()
    assert submitted == []


def test_a_search_that_was_stopped_goes_on_and_is_shared_by_rows(tiny_experiment: Experiment, tmp_path: Path) -> None:
    class StoppingSearch(Progress):
        def search(self, search: Search, name: str = "search") -> None:
            if search.trainings_done == 6:
                raise KeyboardInterrupt

    learned = Learned(experiment=tiny_experiment)
    other = row("on small batches", over="learned", curriculum=learned, task=task(batch_size=16))
    wanted = table(*learned_table(tiny_experiment).rows, other, seeds=2)
    with pytest.raises(KeyboardInterrupt):
        make(wanted, tmp_path, progress=StoppingSearch(Console(file=StringIO())))
    submitted: list[str] = []
    result = make(wanted, tmp_path, submitted)
    assert sum(name.startswith(("twin", "episode")) for name in submitted) == 14 - 6
    assert result.schedules["learned"].hash == result.schedules["on small batches"].hash
    changed = dataclasses.replace(tiny_experiment, search=dataclasses.replace(tiny_experiment.search, seed=1))
    submitted.clear()
    make(learned_table(changed), tmp_path, submitted)
    assert sum(name.startswith(("twin", "episode")) for name in submitted) == 14


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared(ClassificationTask):
    """Notes that it was prepared, as a task does that trains a teacher."""

    calls: ClassVar[list[int]] = []

    def prepare(self, observer: Callable[[int, int], None]) -> None:
        self.calls.append(self.training.batch_size)
        observer(1, 2)
        observer(2, 2)

    def learner(self, seed: int) -> ClassificationLearner:
        assert self.training.batch_size in self.calls
        return super().learner(seed)


def test_every_task_is_prepared_once_before_it_is_trained(tmp_path: Path) -> None:
    Prepared.calls.clear()
    tasks = [Prepared(data=task().data, training=task(batch_size=size).training) for size in (32, 16)]
    rows = (
        row("uniform", over="", task=tasks[0]),
        row("a", task=tasks[0], curriculum=Oracle()),
        row("b", task=tasks[1]),
    )
    text = StringIO()
    make(table(*rows, seeds=2), tmp_path, progress=Progress(Console(file=text, width=200)))
    assert Prepared.calls == [32, 16]
    assert "teacher of uniform: 2/2 stages" in text.getvalue()
    assert "teacher of b: 2/2 stages" in text.getvalue()
    assert "table on unseen seeds: 6/6 trainings" in text.getvalue()


class Raising(ClassificationLearner):
    def train_stage(self, directive: Directive) -> Any:
        if self.stage == 2 and self.seed == 1001:
            raise ZeroDivisionError("a mistake of the user's")
        return super().train_stage(directive)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RaisingTask(ClassificationTask):
    def learner(self, seed: int) -> ClassificationLearner:
        made = super().learner(seed)
        return Raising(made.config, made.dataset, seed)


def test_a_training_that_raises_ends_the_run_and_says_where(tmp_path: Path) -> None:
    raising = RaisingTask(data=task().data, training=task().training)
    wanted = table(row("uniform", over=""), row("raising", task=raising), seeds=2)
    with pytest.raises(JobFailed, match=r"raising seed 1001 raised: training seed 1001, in stage 2: ZeroDivisionError"):
        make(wanted, tmp_path)
    kept = json.loads((tmp_path / "checkpoints" / "measurements.json").read_text())
    assert [entry["training"] for entry in kept.values()] == [
        "uniform seed 1000",
        "uniform seed 1001",
        "raising seed 1000",
    ]


def test_a_training_that_cannot_go_on_is_a_result_and_survives_a_resume(tmp_path: Path) -> None:
    optimiser = dataclasses.replace(task().training.optimiser, lr=1e30)
    wanted = table(
        row("uniform", over=""), row("diverging", task=task(optimiser=optimiser)), seeds=2, metrics=("loss",)
    )
    result = make(wanted, tmp_path)
    assert result.interval("diverging", "loss") is None
    assert result.failures("diverging") == dict.fromkeys(wanted.seeds, "the training loss is not finite")
    again = make(wanted, tmp_path)
    assert again.to_json() == result.to_json()
    write_table(tmp_path, again)


def test_a_metric_that_is_not_measured_is_found_before_the_first_training(tmp_path: Path) -> None:
    submitted: list[str] = []
    with pytest.raises(
        ValueError, match="row uniform measures no rank_1: let the table's metrics name some of accuracy"
    ):
        make(table(metrics=("loss", "rank_1")), tmp_path, submitted)
    assert submitted == []


def test_a_row_that_must_know_the_wrong_labels_is_refused_where_nobody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClassificationLearner, "mislabelled", None)
    with pytest.raises(ValueError, match="row oracle must know which labels are wrong"):
        make(table(row("uniform", over=""), row("oracle", curriculum=Oracle())), tmp_path)


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"features": ("loss",)}, "row learned cannot follow what tiny learns: .*own_confidence_in_class"),
        ({"memory_decay": 0.5}, "that remembers samples with decay 0.8, the row's task with 0.5"),
    ],
)
def test_a_row_that_does_not_offer_what_its_search_sets_is_refused_before_the_search(
    tiny_experiment: Experiment, tmp_path: Path, training: dict[str, Any], words: str
) -> None:
    submitted: list[str] = []
    with pytest.raises(ValueError, match=words):
        make(learned_table(tiny_experiment, task=task(**training)), tmp_path, submitted)
    assert submitted == []


def test_a_search_that_looks_at_validation_data_is_refused(tiny_experiment: Experiment, tmp_path: Path) -> None:
    looking = dataclasses.replace(tiny_experiment.env, observation=("stage", "validation"))
    with pytest.raises(ValueError, match="row learned cannot follow what tiny learns: that looks at validation"):
        make(learned_table(dataclasses.replace(tiny_experiment, env=looking)), tmp_path)


def test_the_directory_of_another_run_is_refused(tmp_path: Path) -> None:
    wanted = table(row("uniform", over=""), seeds=2)
    make(wanted, tmp_path)
    with pytest.raises(RunError, match="holds the table tiny, not other: give another --out"):
        make(dataclasses.replace(wanted, name="other"), tmp_path)
    (tmp_path / "config.json").write_text('{"name": "quickstart"}')
    with pytest.raises(RunError, match="holds a run that is no table, not tiny"):
        make(wanted, tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"a": {}}', '{"a": {"metrics": {"accuracy": "x"}, "iterations": 1}}'])
def test_a_damaged_file_of_measurements_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "measurements.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"measurements.json is damaged .*delete it to train again"):
        KeptMeasurements(path)


@pytest.mark.ray
def test_ray_workers_measure_what_this_process_measures(ray_session: ModuleType, tmp_path: Path) -> None:
    from law_rl.commands.arguments import TableCommand
    from law_rl.commands.run import open_workers

    command = TableCommand(table="tiny", workers=1)
    opened = partial(open_workers, command=command, root=Path(__file__).parents[2])
    wanted = table(row("uniform", over="", curriculum=UniformWeights()), row("b", task=task(batch_size=16)), seeds=2)
    remote = make_table(wanted, tmp_path / "ray", open_workers=opened, progress=silent())
    assert remote.to_json() == make(wanted, tmp_path / "here").to_json()
