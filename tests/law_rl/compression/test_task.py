"""The task of codec training: what its codecs share, and its description."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.compression import task as task_module
from law_rl.data.places import TEACHERS
from law_rl.learner import Learner, Task
from tests.law_rl.compression.patch_trainings import TASK, same_networks


@pytest.fixture(autouse=True, scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("teachers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(folder))
        yield folder
    task_module._shared.cache_clear()


def test_a_task_makes_learners_of_seeds() -> None:
    task: Task = TASK
    learner: Learner = task.learner(1)
    assert (learner.stages, learner.anchors, learner.metric) == (3, 3, "rd_db") and learner.mislabelled is None
    assert (task.stages, task.metric, task.memory_decay, task.device) == (3, "rd_db", 0.0, "cpu")
    assert same_networks(TASK.learner(1), TASK.learner(1)) and not same_networks(TASK.learner(1), TASK.learner(2))


def test_codecs_share_their_patches_and_their_teacher() -> None:
    one, other = TASK.learner(0), replace(TASK, training=replace(TASK.training, epochs=4)).learner(1)
    assert one.teacher is other.teacher and one.dataset.train is other.dataset.train


def test_preparing_trains_the_teacher(teachers: Path) -> None:
    seen: list[int] = []
    task = replace(TASK, teacher=replace(TASK.teacher, seed=5))
    task.prepare(lambda done, total: seen.append(done))
    assert seen == [1, 2, 3]
    before = sorted(teachers.iterdir())
    task.learner(0)
    assert sorted(teachers.iterdir()) == before


def test_the_description_is_plain_and_without_paths() -> None:
    described = json.loads(json.dumps(TASK.describe()))
    assert described["name"] == "samples" and len(described["hash"]) == 64
    assert len(described["teacher"]["anchors"]) == 3 and described["training"]["lambda_"] == 256.0
    text = json.dumps(described)
    assert "root" not in text and "device" not in text


def test_a_teacher_of_another_trade_off_is_refused() -> None:
    with pytest.raises(ValueError, match=r"teacher.training.lambda_ is 256.0 and training.lambda_ 512.0: give both"):
        replace(TASK, training=replace(TASK.training, lambda_=512.0))
