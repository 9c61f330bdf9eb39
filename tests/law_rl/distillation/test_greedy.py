"""The divergences that a greedy search chooses from."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.dataset import Dataset, normalise
from law_rl.data.places import TEACHERS
from law_rl.distillation.anchors import greedy_search
from law_rl.distillation.greedy import every_kth, measure_divergences
from law_rl.distillation.learner import DistillationLearner
from law_rl.distillation.task import DistillationTask
from law_rl.learner import Directive
from tests.law_rl.distillation.students import TASK, trained


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module", autouse=True)
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield


def ignore(done: int, total: int) -> None:
    pass


def refuse(*_: object) -> NoReturn:
    raise AssertionError("trained once more")


@torch.no_grad()
def divergence(student: DistillationLearner, anchor: int) -> float:
    """KL(teacher || student) in nats on validation data, by its definition in float64."""
    data = student.dataset
    assert isinstance(data, Dataset)
    inputs = normalise(data.validation.images, data.mean, data.std)
    own = student.network.eval()(inputs).double().log_softmax(1)
    theirs = student.teacher.of_anchor(anchor, inputs).logits.double().log_softmax(1)
    return float((theirs.exp() * (theirs - own)).sum(1).mean())


DROPOUT = trained(TASK, network=NetworkConfig(width=6, depth=1, dropout=0.3))


@pytest.mark.parametrize("task", [TASK, DROPOUT], ids=["plain", "dropout"])
def test_each_row_is_of_a_student_taught_by_one_anchor_alone(task: DistillationTask) -> None:
    calls: list[tuple[int, int]] = []
    divergences = measure_divergences(task, 3, lambda *call: calls.append(call))
    assert calls == [(done, 16) for done in range(17)]
    assert divergences.shape == (4, 4) and divergences.dtype == torch.float64
    alone = {"ce": 0.0, "kd": 1.0, "hint": 0.0, "cc": 0.0, "rkd": 0.0, "sp": 0.0}
    for taught in range(4):
        student = task.learner(3)
        while student.stage < 4:
            student.train_stage(Directive(anchor=taught / 3, losses=alone))
        expected = [divergence(student, anchor) for anchor in range(4)]
        assert divergences[taught].tolist() == pytest.approx(expected, rel=1e-5)
    assert greedy_search(divergences, 1.1).indices[-1] == 3


def test_some_anchors_are_the_rows_and_columns_of_all() -> None:
    whole = measure_divergences(TASK, 3, ignore)
    part = measure_divergences(TASK, 3, ignore, indices=(1, 3))
    assert torch.equal(part, whole[[1, 3]][:, [1, 3]])


def test_a_killed_measurement_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept" / "divergences.json"

    def dies(done: int, total: int) -> None:
        if done == 6:  # in the second student
            raise Killed

    with pytest.raises(Killed):
        measure_divergences(TASK, 4, dies, kept=kept)
    assert list(json.loads(kept.read_text())["rows"]) == ["0"]
    calls: list[int] = []
    resumed = measure_divergences(TASK, 4, lambda done, _: calls.append(done), kept=kept)
    assert calls == list(range(4, 17))
    assert torch.equal(resumed, measure_divergences(TASK, 4, ignore))
    monkeypatch.setattr(DistillationLearner, "train_stage", refuse)
    assert torch.equal(resumed, measure_divergences(TASK, 4, ignore, kept=kept))


def test_rows_of_something_else_are_not_taken(tmp_path: Path) -> None:
    kept = tmp_path / "divergences.json"
    measure_divergences(TASK, 4, ignore, indices=(0, 1), kept=kept)
    calls: list[int] = []
    others = (
        (TASK, 5, (0, 1)),
        (trained(TASK, temperature=2.0), 4, (0, 1)),
        (TASK, 4, (0, 2)),
        (replace(TASK, transfer=64), 4, (0, 2)),
    )
    for task, seed, indices in others:
        measure_divergences(task, seed, lambda done, _: calls.append(done), indices=indices, kept=kept)
    assert calls == [*range(9)] * 4


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "divergences.json"
    for content in ("{", "[]", "{}"):
        kept.write_text(content)
        with pytest.raises(ValueError, match=r"divergences.json is damaged: delete it to measure again"):
            measure_divergences(TASK, 4, ignore, kept=kept)


def test_a_student_that_diverges_is_said() -> None:
    task = trained(TASK, optimiser=OptimiserConfig(lr=1e20))
    with pytest.raises(ValueError, match="student of anchor 0: the training loss is not finite in stage 0"):
        measure_divergences(task, 0, ignore)


@pytest.mark.parametrize(
    ("anchors", "every", "expected"), [(4, 1, (0, 1, 2, 3)), (4, 2, (1, 3)), (5, 2, (0, 2, 4)), (5, 4, (0, 4))]
)
def test_every_kth_anchor_has_the_last(anchors: int, every: int, expected: tuple[int, ...]) -> None:
    assert every_kth(anchors, every) == expected


@pytest.mark.parametrize(("anchors", "every"), [(4, 0), (4, -1), (4, 4), (1, 1)])
def test_too_few_anchors_are_refused(anchors: int, every: int) -> None:
    with pytest.raises(ValueError, match=f"every is {every} on a route of {anchors} anchors"):
        every_kth(anchors, every)
