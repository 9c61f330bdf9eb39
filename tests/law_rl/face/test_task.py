"""The face task: its teacher, what its students share, copies, transfer sets and its description."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import normalise
from law_rl.data.places import TEACHERS
from law_rl.distillation import task as distillation_task
from law_rl.distillation.teacher import TeacherConfig
from law_rl.face import task as task_module
from law_rl.face.data import sources
from law_rl.face.data.sources import FaceDataConfig
from law_rl.face.heads import HeadConfig
from law_rl.face.identity_bank import prototypes
from law_rl.face.learner import FaceConfig, FaceLearner, FaceLossTerms
from law_rl.face.mining import hardest_identities
from law_rl.face.partners import random_partners
from law_rl.face.relation_config import RelationConfig
from law_rl.face.student import FaceStudent
from law_rl.face.task import FaceTask
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import LinearTanh
from tests.law_rl.face.students import NARROW, NETWORK, PLAIN, TEACHER, equal, same_bits, same_networks, train

DATA = FaceDataConfig(image_size=16, least=2, validation_identities=2, test_identities=3, far=0.1)
TASK = FaceTask(
    data=DATA,
    teacher=TEACHER,
    training=replace(PLAIN, network=NARROW, losses=FaceLossTerms(ce=1.0, fcd=1.0, rad=1.0)),
)


def forget() -> None:
    """What the process has kept of data and teachers."""
    for kept in (
        sources._load,
        distillation_task._shared,
        task_module._relations,
        task_module._prototypes,
    ):
        kept.cache_clear()


@pytest.fixture(autouse=True, scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the module's teachers; drawings are of 12 persons."""
    folder = tmp_path_factory.mktemp("teachers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(folder))
        patch.setattr(sources, "SYNTHETIC_PERSONS", 12)
        patch.setattr(sources, "SYNTHETIC_IMAGES", 6)
        forget()
        yield folder
    forget()


def trained(task: FaceTask, **changes: Any) -> FaceTask:
    """The task with changes to its training."""
    return replace(task, training=replace(task.training, **changes))


def test_a_task_names_what_its_learners_have() -> None:
    learner = TASK.learner(0)
    assert type(learner) is FaceStudent and (learner.stages, learner.anchors) == (TASK.stages, 2) == (3, 2)
    assert TASK.metric == learner.metric == "TAR@0.1" and TASK.metric in learner.evaluate("validation")
    assert {term: weight for term, weight in learner.loss_weights.items() if weight} == {"ce": 1, "fcd": 1, "rad": 1}
    assert learner.feature_names == ("teacher_cosine", "centre_cosine", "margin") and TASK.memory_decay == 0.8


def test_a_seed_draws_the_student_alone() -> None:
    first, again, other = (train(TASK.learner(seed)) for seed in (0, 0, 1))
    assert same_bits(first, again) and not same_networks(first, other)
    assert first.teacher is other.teacher and first._relations is other._relations
    assert first.dataset.train.images is other.dataset.train.images


def test_the_teacher_is_trained_once_by_its_own_head(teachers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(TEACHER.training, FaceConfig)
    training = replace(TEACHER.training, head=HeadConfig(name="adaface"))
    task = replace(TASK, teacher=replace(TEACHER, training=training))
    calls: list[tuple[int, int]] = []
    task.prepare(lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]
    by_hand = train(FaceLearner(replace(training, stages=2), DATA.load(0), 0))

    def refuse(*_: object) -> None:
        raise AssertionError("trained once more")

    with monkeypatch.context() as patch:
        patch.setattr(FaceLearner, "train_stage", refuse)
        task.prepare(refuse)
        route = task.learner(0).teacher.route
    assert equal(dict(sorted(route.state(1).items())), dict(sorted(by_hand.network.state_dict().items())))
    assert route.anchors[1].accuracy == by_hand.evaluate("validation")["TAR@0.1"]
    assert route.epochs == (2, 4) and task.learner(0).teacher.route != TASK.learner(0).teacher.route


@pytest.mark.parametrize("partners", ["hardest", "random", "batch"])
def test_relations_are_those_of_the_converged_teacher(partners: Any) -> None:
    task = trained(TASK, relation=RelationConfig(count=4, partners=partners))
    learner = task.learner(0)
    data, relations = learner.dataset, learner._relations
    network = build_network(NETWORK, image_shape=data.image_shape, classes=data.classes, seed=0).eval()
    network.load_state_dict(learner.teacher.route.state(1))
    with torch.no_grad():
        embedding = network.embed(normalise(data.train.images, data.mean, data.std))
    known = prototypes(embedding, data.train.targets, data.classes)
    torch.testing.assert_close(relations.prototypes, known)
    expected = {
        "hardest": hardest_identities(known, 4),
        "random": random_partners(data.classes, 4, seed=0),
        "batch": None,
    }[partners]
    assert equal(relations.partners, expected)
    assert task.learner(1)._relations is relations


def test_crowding_is_computed_once_and_where_a_feature_asks() -> None:
    task = trained(TASK, features=("crowding", "loss"))
    learner = task.learner(0)
    assert learner._relations.crowding is not None and TASK.learner(0)._relations.crowding is None
    assert learner._relations.crowding.shape == learner.dataset.train.targets.shape
    assert task.learner(1)._relations is learner._relations and learner.fork()._relations is learner._relations
    rule = LinearTanh(features=("crowding",), weights=(0.5,), bias=0.0)
    by_rule = train(learner, lambda stage: Directive(weighting=rule))
    assert not same_networks(by_rule, train(task.learner(0)))


# Copies and fixed inputs

COPIED = replace(TASK, data=replace(DATA, copies=2, augment=AugmentConfig(flip=True)))


@pytest.mark.parametrize("task", [TASK, COPIED], ids=["plain", "copied"])
def test_a_teacher_asked_once_says_what_one_asked_for_every_batch_says(
    task: FaceTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = task.learner(0)
    monkeypatch.setattr(distillation_task, "WHOLE_SET_BYTES", 0)
    forget()
    anew = task.learner(0)
    forget()
    assert kept.teacher._inputs is not None and anew.teacher._inputs is None
    ids = torch.tensor([0, len(kept.dataset.train) - 1, 17])
    inputs = kept._batch_inputs(ids, 0)
    for position in (0.0, 1.0):
        outputs = [each.teacher.outputs(position, inputs, ids) for each in (kept, anew)]
        torch.testing.assert_close(outputs[0].embedding, outputs[1].embedding)
        torch.testing.assert_close(outputs[0].logits, outputs[1].logits)
    for one, other in zip(train(kept).network.parameters(), train(anew).network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_of_copies_the_teacher_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    COPIED.learner(0)
    forget()
    learner = COPIED.learner(0)
    passes: list[int] = []
    learner.teacher._network(1).body.register_forward_pre_hook(lambda body, inputs: passes.append(len(inputs[0])))
    train(learner)
    assert len(learner.dataset.train) == 126 and passes == [126]
    augmented = trained(TASK, augment=AugmentConfig(flip=True)).learner(0)
    augmented.teacher._network(1).body.register_forward_pre_hook(lambda body, inputs: passes.append(len(inputs[0])))
    train(augmented)
    assert passes[1:] == [14] * 9, "where augmentation changes the images, every batch asks anew"


def test_batches_by_superclass_are_of_the_teachers_clusters() -> None:
    learner = trained(TASK, sampler="superclass_uniform", superclasses=3, per_group=7).learner(0)
    assert learner._groups is not None and set(learner._groups.tolist()) == {0, 1, 2}
    train(learner)


# Transfer sets


def test_a_transfer_set_shows_a_part_of_every_person() -> None:
    learner = replace(TASK, transfer=28).learner(0)
    assert torch.bincount(learner.dataset.train.targets).tolist() == [4] * 7
    assert learner.teacher.route == TASK.learner(0).teacher.route
    train(learner)
    with pytest.raises(ValueError, match=r"fewer than two images of synthetic \d+: leave that identity out"):
        replace(TASK, transfer=8).learner(0)


# Description


def in_folders(root: Path) -> FaceTask:
    """A task on photographs of named persons."""
    for number in range(12):
        folder = root / "photographs" / f"Ada_Lovelace_{number}"
        folder.mkdir(parents=True)
        for image in range(3):
            Image.new("L", (20, 20), 20 * number + image).save(folder / f"{image}.png")
    return replace(TASK, data=replace(DATA, name="folders", root=str(root / "photographs")))


def test_its_description_names_no_place_and_no_person(tmp_path: Path, teachers: Path) -> None:
    task = in_folders(tmp_path)
    learner, description = task.learner(0), task.describe()
    text = json.dumps(description)
    assert learner.dataset.class_names[0].startswith("Ada_Lovelace")
    for secret in ("Lovelace", "photographs", str(tmp_path), str(teachers), '"root"', '"device"', '"route"'):
        assert secret not in text
    assert description["name"] == "folders" and description["hash"] == task.dataset.content_hash()
    assert description["teacher"]["anchors"] == [anchor.sha256 for anchor in learner.teacher.route.anchors]
    assert description["training"]["relation"]["count"] == 3 and description["data"]["far"] == 0.1
    assert description["teacher"]["training"]["head"]["name"] == "arcface"


@pytest.mark.parametrize(
    "changes",
    [
        {"head": HeadConfig(name="cosface", margin=0.35)},
        {"relation": RelationConfig(count=3, bank="queue")},
        {"losses": FaceLossTerms(ekd=1.0)},
    ],
)
def test_its_description_tells_trainings_apart(changes: dict[str, Any]) -> None:
    assert trained(TASK, **changes).describe() != TASK.describe()
    assert trained(TASK, **changes).describe()["teacher"] == TASK.describe()["teacher"]
    assert replace(TASK, data=replace(DATA, most=3)).describe() != TASK.describe()


# What is refused


def test_a_teacher_without_a_margin_softmax_is_refused() -> None:
    plain = TeacherConfig(training=ClassificationConfig(network=NetworkConfig(width=8), epochs=4))
    with pytest.raises(ValueError, match=r"teacher\.training is a ClassificationConfig: give a law_rl\.face") as raised:
        replace(TASK, teacher=plain)
    assert "\n" not in str(raised.value)


def test_a_transfer_set_of_less_than_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="transfer is -1: give a number of training images"):
        replace(TASK, transfer=-1)


def test_a_student_that_diverges_fails() -> None:
    learner = TASK.learner(0)
    learner.train_stage(BASELINE)
    report = learner.train_stage(Directive(losses={"fcd": 1e38, "rad": 1e38, "ce": 1e38}))
    assert report.failure == "the training loss is not finite"
