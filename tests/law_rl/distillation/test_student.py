"""A student's training: what it keeps, and that a killed one ends with the same bits."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.data.places import TEACHERS
from law_rl.distillation.learner import TERMS, DistillationLearner
from law_rl.distillation.student import SNAPSHOT, StageRow, train_student, write_stages
from law_rl.distillation.task import DistillationTask
from law_rl.learner import Directive, StageReport
from law_rl.weighting import LinearTanh
from tests.law_rl.distillation.students import TASK, trained

CNN = trained(
    TASK,
    network=NetworkConfig(name="cnn", width=4),
    optimiser=OptimiserConfig(name="adam", lr=1e-2),
    augment=AugmentConfig(flip=True, crop=1),
    channels_last=True,
)


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module", autouse=True)
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield


def direct(learner: DistillationLearner) -> Directive:
    """Another directive in each stage, of all kinds."""
    weighting = LinearTanh(features=("loss", "entropy"), weights=(-0.5, 0.1), bias=0.1 * learner.stage)
    return Directive(weighting=weighting, anchor=learner.stage / 3, losses={"kd": 1.0 + learner.stage})


def ignore(done: int, total: int) -> None:
    pass


def killed_at(stage: int) -> Callable[[int, int], None]:
    def observer(done: int, total: int) -> None:
        if done == stage:
            raise Killed

    return observer


def refuse(*_: object) -> NoReturn:
    raise AssertionError("trained once more")


def tensors(tree: Any) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree]
    entries = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return [tensor for entry in entries for tensor in tensors(entry)]


def assert_same(one: DistillationLearner, other: DistillationLearner) -> None:
    pairs = zip(tensors(one.snapshot()), tensors(other.snapshot()), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_rows_say_what_each_stage_was_trained_under(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    learner, oracle = TASK.learner(7), TASK.learner(7)
    rows = train_student(learner, direct, tmp_path, lambda *call: calls.append(call))
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    for stage, row in enumerate(rows):
        oracle.train_stage(direct(oracle))
        losses = {"ce": 0.1, "kd": 1.0 + stage, "hint": 0.01, "cc": 1.0, "rkd": 0.0, "sp": 0.0}
        accuracy = oracle.evaluate("validation")["accuracy"]
        assert row == StageRow(
            stage=stage, anchor=stage / 3, weighting="linear_tanh", losses=losses, validation=accuracy
        )
    assert len(rows) == 4
    assert_same(learner, oracle)


@pytest.mark.parametrize("task", [TASK, CNN], ids=["sgd", "adam"])
def test_a_killed_training_ends_with_the_same_bits(task: DistillationTask, tmp_path: Path) -> None:
    whole = task.learner(1)
    expected = train_student(whole, direct, tmp_path / "whole", ignore)
    for kill in (1, 3):
        with pytest.raises(Killed):
            train_student(task.learner(1), direct, tmp_path / "killed", killed_at(kill))
    resumed, calls = task.learner(1), list[int]()
    rows = train_student(resumed, direct, tmp_path / "killed", lambda done, _: calls.append(done))
    assert calls == [3, 4]
    assert rows == expected
    assert_same(resumed, whole)
    assert (tmp_path / "killed" / SNAPSHOT).read_bytes() == (tmp_path / "whole" / SNAPSHOT).read_bytes()


def test_a_kill_within_a_stage_costs_that_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TASK.learner(2)
    train_student(whole, direct, tmp_path / "whole", ignore)
    honest = DistillationLearner.train_stage

    def dies(self: DistillationLearner, directive: Directive) -> StageReport:
        report = honest(self, directive)
        if self.stage == 3:
            raise Killed
        return report

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(DistillationLearner, "train_stage", dies)
        train_student(TASK.learner(2), direct, tmp_path / "killed", ignore)
    resumed, calls = TASK.learner(2), list[int]()
    train_student(resumed, direct, tmp_path / "killed", lambda done, _: calls.append(done))
    assert calls == [2, 3, 4]
    assert_same(resumed, whole)


def test_a_finished_training_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = train_student(TASK.learner(3), direct, tmp_path, ignore)
    monkeypatch.setattr(DistillationLearner, "train_stage", refuse)
    again = TASK.learner(3)
    assert train_student(again, direct, tmp_path, ignore) == rows
    assert again.stage == 4


def test_a_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    task = trained(TASK, optimiser=OptimiserConfig(lr=1e20))
    message = (
        r"student: the training loss is not finite in stage 0 of 4: lower --task.training.optimiser.lr, now 1e\+20"
    )
    with pytest.raises(ValueError, match=message):
        train_student(task.learner(0), direct, tmp_path, ignore)


def test_stages_as_csv(tmp_path: Path) -> None:
    losses = dict.fromkeys(TERMS, 0.5)
    rows = [StageRow(stage=k, anchor=k / 2, weighting="uniform", losses=losses, validation=50.25 + k) for k in range(2)]
    write_stages(tmp_path / "stages.csv", rows, "accuracy")
    with (tmp_path / "stages.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [(row["stage"], row["anchor"], row["validation_accuracy"]) for row in found] == [
        ("0", "0.0", "50.25"),
        ("1", "0.5", "51.25"),
    ]
    assert all(row[f"loss {term}"] == "0.5" for row in found for term in TERMS)
    assert found[0]["weighting"] == "uniform"
