"""The retrieval tasks: the paper's settings, and a whole small training on a folder laid out as Market-1501."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from envs.retrieval import faces_task, reid_task
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import learning_rate
from law_rl.data.places import TEACHERS
from law_rl.data.retrieval_sources import RetrievalDataConfig
from law_rl.distillation.learner import TERMS
from law_rl.distillation.task import DistillationTask
from law_rl.learner import BASELINE


@pytest.fixture(autouse=True)
def teachers(tmp_path: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path / "teachers"))
        yield


@pytest.mark.parametrize("task", [faces_task(), reid_task("data/msmt17")], ids=["faces", "reid"])
def test_a_student_embeds_as_wide_as_its_teacher_and_learns_from_it_alone(task: DistillationTask) -> None:
    student, teacher = task.training, task.teacher.training
    assert student.network.embedding == teacher.network.embedding > 0
    assert {term for term in TERMS if getattr(student.losses, term)} == {"kd"}
    assert (task.metric, student.batch_size, student.per_group) == ("mAP", 40, 4)


def test_re_identification_has_the_settings_of_the_paper() -> None:
    task = reid_task("data/msmt17")
    assert task.teacher.training.network == NetworkConfig(name="resnet50", embedding=256)
    assert task.training.network == NetworkConfig(name="resnet18", embedding=256)
    for training in (task.teacher.training, task.training):
        assert (training.epochs, training.batch_size, training.optimiser.weight_decay) == (90, 40, 5e-4)
        rates = [learning_rate(training.optimiser, epoch / 90) for epoch in (0, 44, 45, 59, 60, 89)]
        assert rates == pytest.approx([3e-4, 3e-4, 3e-5, 3e-5, 3e-6, 3e-6])
    assert isinstance(task.data, RetrievalDataConfig) and task.data.image_size == (256, 128)
    assert task.training.superclasses == 1000


def test_re_identification_trains_on_a_folder(tmp_path: Path) -> None:
    write_persons(tmp_path / "bounding_box_train", persons=range(1, 7))
    write_persons(tmp_path / "query", persons=range(7, 9))
    write_persons(tmp_path / "bounding_box_test", persons=range(7, 9))
    task = reid_task(str(tmp_path))
    small: dict[str, Any] = {"network": NetworkConfig(name="resnet8", embedding=256), "epochs": 1, "device": "cpu"}
    assert isinstance(task.data, RetrievalDataConfig)
    task = replace(
        task,
        data=replace(task.data, image_size=(32, 16), validation_identities=2),
        teacher=replace(task.teacher, training=replace(task.teacher.training, **small, batch_size=8), every=1),
        training=replace(task.training, **small, batch_size=4, stages=1),
    )
    learner = task.learner(0)
    before = learner.network.classifier.weight.detach().clone()
    report = learner.train_stage(BASELINE)
    assert (report.iterations, report.failure, learner.network.width) == (2, "", 256)
    assert not learner.network.classifier.weight.equal(before)
    assert 0 < learner.evaluate("test")["mAP"] <= 100


def write_persons(folder: Path, persons: range) -> None:
    """A picture of noise of each person in each of two cameras."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    for person in persons:
        for camera in (1, 2):
            pixels = noise.integers(0, 256, (16, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{person:04d}_c{camera}s1_000000_00.png")
