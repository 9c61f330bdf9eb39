"""What the model card of a face network says, and what it never says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from law_rl.classification.network_file import NetworkFacts
from law_rl.classification.networks import NetworkConfig
from law_rl.face.data.sources import FaceDataConfig, FaceSource
from law_rl.face.data.terms import terms_of
from law_rl.face.model_card import Crowd, FaceCard, FaceData, FaceTeacher, write_card
from law_rl.statistics import Interval
from tests.law_rl.distillation.test_card_files import rows
from tests.law_rl.face.tasks import TASK

CARD = FaceCard(
    facts=NetworkFacts(
        network=NetworkConfig(name="face_cnn", width=8, classifier="cosine", scale=16.0),
        image_shape=(3, 48, 48),
        class_names=(),
        mean=(128.0, 120.0, 110.5),
        std=(60.0, 61.0, 62.0),
    ),
    parameters=123_456,
    macs=7_654_321,
    files={"network.safetensors": 2345, "network.onnx": 4567},
    data=FaceData(
        name="lfw",
        hash="d" * 64,
        terms="Research.",
        train=Crowd(persons=493, images=5000),
        validation=Crowd(persons=60, images=300),
        test=Crowd(persons=100, images=1000),
    ),
    teacher=FaceTeacher(network="iresnet18", route="e" * 64, metric=91.5),
    curriculum="learned",
    schedule="f" * 64,
    losses={"ce": 1.0, "rad": 2.5},
    epochs=30,
    seed=1000,
    metric="TAR@0.01",
    metrics={"TAR@0.01": 88.254, "rank_1": 70.0},
    intervals={"TAR@0.01": Interval(mean=88.254, low=85.0, high=91.0)},
    limits=("Trained on faces.",),
)


def text(directory: Path, card: FaceCard) -> str:
    write_card(directory, card)
    return (directory / "README.md").read_text(encoding="utf-8")


def test_the_tables_say_how_good_and_what(tmp_path: Path) -> None:
    assert rows(text(tmp_path, CARD)) == {
        "TAR@0.01": "88.25 % [85.00, 91.00]",
        "rank_1": "70.00 %",
        "network": "face_cnn (width 8, classifier cosine, scale 16.0)",
        "parameters": "123,456",
        "multiply-accumulates of one image": "7,654,321",
        "normalisation, part of the ONNX graph": "(image - (128, 120, 110.5)) / (60, 61, 62)",
        "network.safetensors": "2,345 bytes",
        "network.onnx": "4,567 bytes",
        "data": "lfw: 5,000 images of 493 persons to train on, 300 images of 60 persons for validation",
        "data content hash": "d" * 64,
        "terms of the data": "Research.",
        "teacher": "iresnet18, TAR@0.01 91.50 %",
        "teacher route hash": "e" * 64,
        "curriculum": "learned",
        "schedule hash": "f" * 64,
        "loss weights": "ce 1, rad 2.5",
        "epochs": "30",
        "training seed": "1000",
    }
    readme = text(tmp_path, CARD)
    assert "On 1,000 images of 100 persons, whom no training has seen" in readme and "- Trained on faces." in readme
    assert "law-rl face embed network.safetensors FOLDER" in readme


def test_what_there_is_not_is_left_out(tmp_path: Path) -> None:
    card = replace(CARD, teacher=None, schedule=None, losses={}, files={"network.safetensors": 2345})
    readme = text(tmp_path, card)
    assert rows(readme).keys().isdisjoint(["teacher", "teacher route hash", "schedule hash", "loss weights"])
    assert "onnxruntime" not in readme and 'Embedder.load("network.safetensors")' in readme


def test_the_json_holds_all_of_it(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    found: dict[str, Any] = json.loads((tmp_path / "metrics.json").read_text())
    assert found == CARD.to_json() and "intervals" not in found
    assert found["metrics"] == {
        "TAR@0.01": {"mean": 88.254, "ci95": [85.0, 91.0]},
        "rank_1": {"mean": 70.0, "ci95": None},
    }
    assert found["data"]["test"] == {"persons": 100, "images": 1000} and found["facts"]["class_names"] == []


def test_data_is_counted_and_never_named() -> None:
    data = FaceData.of(TASK.dataset, "terms")
    assert (data.train, data.test) == (Crowd(persons=30, images=300), Crowd(persons=200, images=400))
    assert FaceData.of(TASK.dataset, "terms", copies=2).train == Crowd(persons=30, images=100)
    assert data.hash == TASK.dataset.content_hash()
    assert not any(name in repr(data) for name in TASK.dataset.class_names)


@pytest.mark.parametrize("source", get_args(FaceSource))
def test_every_source_has_its_terms(source: FaceSource) -> None:
    assert terms_of(FaceDataConfig(name=source, root="somewhere")).endswith(".")
