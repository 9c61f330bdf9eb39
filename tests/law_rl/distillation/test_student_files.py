"""A student put out: its files, and what its card says."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.network_file import load_network
from law_rl.data.dataset import normalise
from law_rl.data.noise import NoiseConfig
from law_rl.data.places import TEACHERS
from law_rl.data.sources import DataConfig
from law_rl.distillation.learner import TERMS
from law_rl.distillation.model_card import ModelCard
from law_rl.distillation.student import StageRow
from law_rl.distillation.student_files import put_out
from law_rl.distillation.task import DistillationTask
from law_rl.learner import BASELINE
from tests.law_rl.distillation.students import TASK, trained

ONE = trained(TASK, epochs=1, stages=1)


@pytest.fixture(scope="module", autouse=True)
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield


@pytest.fixture(autouse=True)
def no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph has its own tests, and takes seconds."""
    monkeypatch.setattr("law_rl.classification.export.find_spec", lambda package: None)


def row(stage: int = 0, anchor: float = 1.0, **losses: float) -> StageRow:
    weights = {**dict.fromkeys(TERMS, 0.0), **losses}
    return StageRow(stage=stage, anchor=anchor, weighting="uniform", losses=weights, validation=50.0)


def put(task: DistillationTask, directory: Path, *rows: StageRow, warmup: int = 0) -> tuple[ModelCard, str]:
    learner = task.learner(5)
    learner.train_stage(BASELINE)
    return put_out(task, learner, rows, directory, curriculum="kd", schedule=None, warmup=warmup)


def test_the_card_is_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "student.onnx").write_text("of an earlier student")
    card, missing = put(ONE, tmp_path, row(ce=0.1, kd=0.9))
    assert {path.name for path in tmp_path.iterdir()} == {"student.safetensors", "README.md", "card.json"}
    assert "pip install 'law-rl[onnx]'" in missing
    assert card.files == {"student.safetensors": (tmp_path / "student.safetensors").stat().st_size}
    network, facts = load_network(tmp_path / "student.safetensors")
    test = ONE.dataset.test
    with torch.inference_mode():
        logits = network(normalise(test.images, facts.mean, facts.std))  # type: ignore[union-attr]
    right = 100 * (logits.argmax(dim=1) == test.targets).double().mean().item()  # type: ignore[union-attr]
    assert card.accuracies == {5: right}
    assert card.parameters == 64 * 6 + 6 + 6 * 10 + 10 and card.macs == 64 * 6 + 6 * 10
    assert card.training.loss_weights == {"ce": 0.1, "kd": 0.9} and card.training.epochs == 1
    assert (card.data.hash, card.data.test) == (ONE.dataset.content_hash(), 500)
    assert "CC BY 4.0" in card.data.terms
    assert json.loads((tmp_path / "card.json").read_text()) == card.to_json()


def test_the_card_names_its_teacher(tmp_path: Path) -> None:
    card, _ = put(ONE, tmp_path, row(ce=1.0))
    config = ONE.teacher.training
    teacher = ClassificationLearner(replace(config, stages=4), ONE.dataset, ONE.teacher.seed)
    for _ in range(4):
        teacher.train_stage(BASELINE)
    assert card.teacher.accuracy == teacher.evaluate("test")["accuracy"]
    assert card.teacher.network == config.network
    assert card.teacher.route == ONE.learner(0).teacher.route.anchors[-1].sha256


def test_loss_weights_are_those_that_stay_after_warmup(tmp_path: Path) -> None:
    rows = row(ce=0.1, kd=0.9), row(1, ce=0.5, kd=1.0, cc=2.0), row(2, ce=0.5, kd=2.0, cc=2.0)
    card, _ = put(ONE, tmp_path, *rows, warmup=1)
    assert card.training.loss_weights == {"ce": 0.5, "cc": 2.0}
    assert "The first stage of 1 had the converged teacher and the loss weights ce 0.1, kd 0.9" in card.limits[0]


def test_warmup_that_trained_as_the_rest_is_not_told(tmp_path: Path) -> None:
    card, _ = put(ONE, tmp_path, row(kd=0.9), row(1, kd=0.9), warmup=1)
    assert not any("first stage" in limit for limit in card.limits)
    other, _ = put(ONE, tmp_path, row(kd=0.9), row(1, anchor=0.5, kd=0.9), warmup=1)
    assert "first stage" in other.limits[0]


def test_a_student_of_fewer_images_than_its_teacher(tmp_path: Path) -> None:
    task = replace(ONE, transfer=64)
    card, _ = put(task, tmp_path, row(kd=1.0))
    assert card.data.train == 64 and card.data.hash == task.learner(5).dataset.content_hash()
    assert card.limits[0] == "The teacher learned from 96 training images, the student from 64 of them."


def test_noise_and_precision_are_limits(tmp_path: Path) -> None:
    assert isinstance(ONE.data, DataConfig)
    noisy = replace(ONE, data=replace(ONE.data, noise=NoiseConfig(kind="uniform", rate=0.2)))
    card, _ = put(trained(noisy, precision="bf16"), tmp_path, row(kd=1.0))
    assert card.limits[:2] == (
        "Accuracy was measured in bf16, as trained; the files hold float32.",
        "Part of the training labels were wrong (uniform noise).",
    )
