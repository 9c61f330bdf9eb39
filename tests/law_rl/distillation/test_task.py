"""The distillation task: its teacher is trained once, and its learners, their groups and its description."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import normalise
from law_rl.data.noise import NoiseConfig
from law_rl.data.places import TEACHERS
from law_rl.data.sources import DataConfig
from law_rl.distillation import task as task_module
from law_rl.distillation.learner import DistillationConfig, LossTerms
from law_rl.distillation.superclasses import cluster
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig
from law_rl.distillation.teacher_outputs import TeacherOutputs
from law_rl.learner import BASELINE

TASK = DistillationTask(
    data=DataConfig(name="digits", train=60, validation=50, noise=NoiseConfig(kind="uniform", rate=0.3)),
    teacher=TeacherConfig(
        training=ClassificationConfig(network=NetworkConfig(width=16, depth=1, embedding=6), epochs=4, batch_size=20),
        every=2,
    ),
    training=DistillationConfig(
        network=NetworkConfig(width=5, depth=1, embedding=6),
        optimiser=OptimiserConfig(lr=0.02),
        batch_size=20,
        epochs=3,
        stages=3,
        memory_decay=0.6,
        features=("teacher_divergence",),
    ),
)


@pytest.fixture(autouse=True, scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the module's teachers."""
    folder = tmp_path_factory.mktemp("teachers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(folder))
        task_module._shared.cache_clear()
        yield folder


def trained(task: DistillationTask, **changes: Any) -> DistillationTask:
    """The task with changes to its training."""
    return replace(task, training=replace(task.training, **changes))


def test_a_task_names_what_its_learners_have() -> None:
    learner = TASK.learner(0)
    assert (TASK.stages, TASK.memory_decay, TASK.device) == (3, 0.6, "cpu")
    assert (learner.stages, learner.stage, learner.anchors) == (3, 0, 2)
    assert TASK.metric == learner.metric and TASK.metric in learner.evaluate("validation")
    assert learner.loss_weights == {"ce": 0.1, "kd": 0.9, "hint": 0.0, "cc": 0.0, "rkd": 0.0, "sp": 0.0}


def test_a_seed_draws_the_student_alone() -> None:
    first, again, other = TASK.learner(0), TASK.learner(0), TASK.learner(1)
    for learner in (first, again, other):
        learner.train_stage(BASELINE)
    parameters = [
        torch.cat([p.detach().flatten() for p in each.network.parameters()]) for each in (first, again, other)
    ]
    assert torch.equal(parameters[0], parameters[1]) and not torch.equal(parameters[0], parameters[2])
    assert first.teacher is other.teacher
    assert torch.equal(first.dataset.train.targets, other.dataset.train.targets)
    assert first.mislabelled is not None and 0.1 < first.mislabelled.float().mean() < 0.5


def test_teacher_and_student_see_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    train_stage = ClassificationLearner.train_stage

    def noting(self: ClassificationLearner, directive: Any) -> Any:
        seen.append(self.dataset.train.targets)
        return train_stage(self, directive)

    monkeypatch.setattr(ClassificationLearner, "train_stage", noting)
    task = replace(TASK, teacher=replace(TASK.teacher, seed=1))
    student = task.learner(0)
    assert len(seen) == 2
    assert all(torch.equal(targets, student.dataset.train.targets) for targets in seen)
    assert not torch.equal(student.dataset.train.targets, TASK.learner(0).dataset.train.targets)


def test_the_teacher_is_trained_once_and_told_of(teachers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(TASK, teacher=replace(TASK.teacher, seed=2))
    calls: list[tuple[int, int]] = []
    before = set(teachers.iterdir())
    task.prepare(lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)] and len({path for path in teachers.iterdir() if path.is_dir()} - before) == 1

    def refuse(*_: object) -> None:
        raise AssertionError("trained once more")

    with monkeypatch.context() as patch:
        patch.setattr(ClassificationLearner, "train_stage", refuse)
        task.prepare(refuse)
        learners = [each.learner(0) for each in (task, trained(task, epochs=6))]
    assert len({each.teacher.route.directory for each in learners}) == 1
    assert learners[0].teacher.route.epochs == (2, 4)


def test_outputs_on_inputs_that_stay_the_same_are_made_once() -> None:
    learner = TASK.learner(0)
    passes: list[int] = []
    task_module._shared.cache_clear()
    fresh = TASK.learner(0)
    fresh.teacher._network(1).body.register_forward_pre_hook(lambda body, inputs: passes.append(len(inputs[0])))
    while fresh.stage < fresh.stages:
        fresh.train_stage(BASELINE)
    assert passes == [60]
    assert learner.teacher is not fresh.teacher


def test_a_large_set_is_forwarded_batch_by_batch_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = TASK.learner(0)
    monkeypatch.setattr(task_module, "WHOLE_SET_BYTES", 4 * kept.dataset.train.images.numel() - 1)
    task_module._shared.cache_clear()
    anew = TASK.learner(0)
    assert kept.teacher._inputs is not None and anew.teacher._inputs is None
    for learner in (kept, anew):
        while learner.stage < learner.stages:
            learner.train_stage(BASELINE)
    for one, other in zip(kept.network.parameters(), anew.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    task_module._shared.cache_clear()


@pytest.mark.parametrize("augment", [AugmentConfig(crop=1), AugmentConfig(flip=True), AugmentConfig(mask=0.5)])
def test_the_teacher_sees_what_the_student_sees(augment: AugmentConfig) -> None:
    learner = trained(TASK, augment=augment).learner(0)
    assert learner.teacher._inputs is None
    seen: dict[str, list[torch.Tensor]] = {"student": [], "teacher": []}
    for name, network in (("student", learner.network), ("teacher", learner.teacher._network(1))):
        note = seen[name]
        network.body.register_forward_pre_hook(lambda body, inputs, note=note: note.append(inputs[0].clone()))
    while learner.stage < learner.stages:
        learner.train_stage(BASELINE)
    assert len(seen["student"]) == len(seen["teacher"]) == 9
    assert all(torch.equal(one, other) for one, other in zip(*seen.values(), strict=True))


# Transfer sets


def test_a_transfer_set_is_a_stratified_part_of_what_the_teacher_saw() -> None:
    whole = TASK.learner(0)
    part = replace(TASK, transfer=40).learner(0)
    assert part.teacher.route == whole.teacher.route
    assert len(part.dataset.train) == 40 and part.teacher._inputs is not None and len(part.teacher._inputs) == 40
    places = [
        int((whole.dataset.train.images == image).flatten(1).all(dim=1).nonzero()[0])
        for image in part.dataset.train.images
    ]
    assert places == sorted(set(places))
    chosen = whole.dataset.train.subset(torch.tensor(places))
    assert torch.equal(chosen.targets, part.dataset.train.targets)
    counts = [torch.bincount(each.dataset.train.targets, minlength=10) for each in (whole, part)]
    assert bool(((counts[0] * 40 / 60 - counts[1]).abs() <= 1).all())
    assert (part.dataset.mean, part.dataset.std) == (whole.dataset.mean, whole.dataset.std)
    assert part.dataset.validation.images is whole.dataset.validation.images  # type: ignore[union-attr]
    again = replace(TASK, transfer=40).learner(1)
    assert torch.equal(again.dataset.train.images, part.dataset.train.images)


def test_a_student_of_a_transfer_set_is_taught_what_the_teacher_says_of_it() -> None:
    learner = replace(TASK, transfer=40).learner(0)
    inputs = learner._normalise(learner.dataset.train.images)
    ids = torch.tensor([3, 39, 0])
    kept, anew = (learner.teacher.outputs(1.0, inputs[ids], which) for which in (ids, None))
    torch.testing.assert_close(kept.logits, anew.logits)
    while learner.stage < learner.stages:
        assert learner.train_stage(BASELINE).iterations == 2


@pytest.mark.parametrize(
    ("transfer", "message"),
    [(-1, "transfer is -1: give a number of training images"), (61, "transfer is 61 of 60 training images: give at")],
)
def test_a_transfer_set_that_cannot_be_is_refused(transfer: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TASK, transfer=transfer).learner(0)


# Batches by group


def groups_in_batches(task: DistillationTask, groups: torch.Tensor) -> list[list[int]]:
    """How many samples of each group are in each batch of the training, of those that are there at all."""
    learner, counts = task.learner(3), []
    inputs = learner._normalise(learner.dataset.train.images)

    def note(body: torch.nn.Module, batch: tuple[torch.Tensor]) -> None:
        if learner.network.training:
            ids = [int((inputs == image).flatten(1).all(dim=1).nonzero()[0]) for image in batch[0]]
            counts.append([count for count in torch.bincount(groups[ids]).tolist() if count])

    learner.network.body.register_forward_pre_hook(note)
    while learner.stage < learner.stages:
        learner.train_stage(BASELINE)
    return counts


def test_class_uniform_batches_hold_as_many_samples_of_each_of_their_classes() -> None:
    task = trained(TASK, sampler="class_uniform", per_group=5)
    groups = task.learner(0).dataset.train.targets
    assert groups_in_batches(task, groups) == [[5] * 4] * 9
    assert (
        groups_in_batches(trained(TASK, batch_size=6, per_group=2, sampler="class_uniform"), groups) == [[2] * 3] * 30
    )


def test_superclass_uniform_batches_hold_as_many_of_each_cluster_of_the_teachers_embedding() -> None:
    task = trained(TASK, sampler="superclass_uniform", per_group=4, superclasses=7)
    learner = task.learner(0)
    network = build_network(TASK.teacher.training.network, image_shape=(1, 8, 8), classes=10, seed=0).eval()
    network.load_state_dict(learner.teacher.route.state(1))
    data = learner.dataset
    with torch.no_grad():
        embedding = network.embed(normalise(data.train.images, data.mean, data.std))
    groups = cluster(embedding, 7, seed=0)
    assert learner._groups is not None and torch.equal(learner._groups, groups)
    assert groups_in_batches(task, groups) == [[4] * 5] * 9


def test_more_superclasses_than_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="clusters is 100: give at least 2 and at most the 60 samples"):
        trained(TASK, sampler="superclass_uniform").learner(0)


# Description


def test_its_description_is_plain_and_names_no_place(teachers: Path) -> None:
    description = TASK.describe()
    text = json.dumps(description)
    learner = TASK.learner(0)
    assert description["name"] == "digits" and description["hash"] == learner.dataset.content_hash()
    assert '"rate": 0.3' in text and '"memory_decay": 0.6' in text and '"kd": 0.9' in text
    assert description["teacher"]["anchors"] == [anchor.sha256 for anchor in learner.teacher.route.anchors]
    assert description["teacher"]["training"]["network"]["width"] == 16
    for place in ("root", "labels", "device", "route", str(teachers), str(Path.home()), str(Path.cwd())):
        assert f'"{place}"' not in text


def test_its_description_tells_teachers_and_mixtures_apart(teachers: Path) -> None:
    description = TASK.describe()
    other = replace(TASK, teacher=replace(TASK.teacher, seed=3)).describe()
    assert other["teacher"]["anchors"] != description["teacher"]["anchors"]
    mixed = trained(TASK, losses=LossTerms(ce=0.5, kd=0.5)).describe()
    assert mixed["teacher"] == description["teacher"] and mixed != description
    assert replace(TASK, transfer=40).describe() != description
    route = TASK.learner(0).teacher.route.directory
    given = replace(TASK, teacher=replace(TASK.teacher, route=str(route))).describe()
    assert given == description


def test_mixed_teachers_mix_at_the_temperature_of_the_training() -> None:
    teacher = trained(TASK, between="mixed", temperature=2.5).learner(0).teacher
    assert isinstance(teacher, TeacherOutputs) and (teacher.between, teacher.temperature) == ("mixed", 2.5)


def test_missing_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAW_RL_DATA", raising=False)
    missing = replace(TASK, data=DataConfig(name="cifar10", root=str(tmp_path)))
    with pytest.raises(FileNotFoundError, match="cifar10"):
        missing.learner(0)


def test_students_that_differ_in_their_own_training_share_the_teacher() -> None:
    own = trained(TASK, epochs=8, losses=LossTerms(ce=1.0), network=replace(TASK.training.network, width=3))
    first, other = TASK.learner(0), own.learner(0)
    assert first.teacher is other.teacher and first.dataset.train.images is other.dataset.train.images
    assert trained(TASK, temperature=TASK.training.temperature + 1).learner(0).teacher is not first.teacher
    assert trained(TASK, augment=AugmentConfig(flip=True)).learner(0).teacher is not first.teacher
