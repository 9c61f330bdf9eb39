"""A distillation task: data, teacher and training in one value from which every seed's student is made."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar, cast

import torch

from law_rl.classification.networks import build_network
from law_rl.data.dataset import normalise
from law_rl.data.sources import DataConfig
from law_rl.data.splits import fixed_order, split_stratified
from law_rl.data.training_data import DataSource, TrainingData
from law_rl.distillation.learner import DistillationConfig, DistillationLearner
from law_rl.distillation.route_training import teachers_folder
from law_rl.distillation.superclasses import superclasses
from law_rl.distillation.teacher import TeacherConfig, teacher_route
from law_rl.distillation.teacher_outputs import CHUNK, TeacherOutputs

WHOLE_SET_BYTES = 256 * 2**20
"""Up to so many bytes of normalised training images, a teacher's outputs on all of them are computed once."""


@dataclass(frozen=True, kw_only=True)
class DistillationTask:
    """Distils a teacher into a student, to classify or to find identities again; a seed draws the student's
    initialisation and batches.

    Teacher and student see the same labels: where these are noisy, the teacher's seed draws the noise. `transfer` is
    the number of the teacher's training images, stratified by class, that the student sees; 0: all of them.
    """

    data: DataSource = field(default_factory=DataConfig)
    teacher: TeacherConfig
    training: DistillationConfig = field(default_factory=DistillationConfig)
    transfer: int = 0

    def __post_init__(self) -> None:
        if self.transfer < 0:
            raise ValueError(f"transfer is {self.transfer}: give a number of training images, or 0 for all")

    @property
    def stages(self) -> int:
        return self.training.stages

    @property
    def device(self) -> str:
        return self.training.device

    @property
    def memory_decay(self) -> float:
        return self.training.memory_decay

    @property
    def metric(self) -> str:
        return self.data.metric

    @property
    def dataset(self) -> TrainingData:
        """The data that the teacher is trained on; FileNotFoundError where it is missing."""
        return self.data.load(self.teacher.seed)

    def prepare(self, observer: Callable[[int, int], None]) -> None:
        """Trains the teacher where that has not been done; `observer(done, total)` after each of its anchors."""
        teacher_route(self.teacher, self.dataset, observer)

    def learner(self, seed: int) -> DistillationLearner:
        """A fresh student; the teacher is trained first where it is missing, and shared by all students here."""
        shared = shared_by_students(self)
        return DistillationLearner(self.training, shared.dataset, seed, shared.teacher, shared.groups)

    def describe(self) -> dict[str, Any]:
        """Configuration without paths, the content hash of the data, and those of the teacher's anchors."""
        data, teacher, training = asdict(cast(Any, self.data)), asdict(self.teacher), asdict(self.training)
        noise = data.get("noise", {})
        for table, name in ((data, "root"), (noise, "labels"), (teacher, "route"), (training, "device")):
            table.pop(name, None)
        teacher["training"].pop("device")
        anchors = [anchor.sha256 for anchor in shared_by_students(self).teacher.route.anchors]
        described = {"name": self.data.name, "hash": self.dataset.content_hash(), "data": data, "training": training}
        return {**described, "transfer": self.transfer, "teacher": {**teacher, "anchors": anchors}}


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedByStudents:
    """What the students of a task share in a process."""

    dataset: TrainingData
    teacher: TeacherOutputs
    groups: torch.Tensor | None


def shared_by_students(task: DistillationTask) -> SharedByStudents:
    """What the students of the task share; tasks whose trainings differ in nothing that a teacher sees share it too."""
    return _shared(as_the_teacher_sees(task))


TaskKind = TypeVar("TaskKind", bound=DistillationTask)


def as_the_teacher_sees(task: TaskKind) -> TaskKind:
    """The task with all of the student's training at its defaults but what the teacher's outputs depend on."""
    kept = ("augment", "between", "temperature", "sampler", "superclasses", "device")
    training = type(task.training)(**{name: getattr(task.training, name) for name in kept})
    return replace(task, training=training)


@lru_cache(maxsize=4)
def _shared(task: DistillationTask) -> SharedByStudents:
    dataset, training = _transfer_set(task).to(task.device), task.training
    network = task.teacher.training.network
    teacher = TeacherOutputs(
        teacher_route(task.teacher, task.dataset),
        lambda: build_network(
            network, image_shape=dataset.image_shape, classes=dataset.classes, seed=0, device=task.device
        ),
        task.device,
        between=training.between,
        temperature=training.temperature,
        inputs=_fixed_inputs(task, dataset),
    )
    groups = None
    if training.sampler == "class_uniform":
        groups = dataset.train.targets
    elif training.sampler == "superclass_uniform":
        groups = _superclasses(task, dataset, teacher)
    return SharedByStudents(dataset=dataset, teacher=teacher, groups=groups)


def _transfer_set(task: DistillationTask) -> TrainingData:
    """The teacher's data with as much of its training part as the student sees, normalised as for the teacher."""
    dataset = task.dataset
    if not task.transfer:
        return dataset
    train = dataset.train
    if task.transfer > len(train):
        raise ValueError(f"transfer is {task.transfer} of {len(train)} training images: give at most so many")
    chosen, _ = split_stratified(fixed_order(len(train)), train.targets, task.transfer)
    return dataset.with_train(train.subset(chosen.sort().values))


def _fixed_inputs(task: DistillationTask, dataset: TrainingData) -> torch.Tensor | None:
    """The whole training set as the networks see it; None where it changes from epoch to epoch, or is too large."""
    images, augment = dataset.train.images, task.training.augment
    if augment.changes or 4 * images.numel() > WHOLE_SET_BYTES:
        return None
    return normalise(images, dataset.mean, dataset.std)


def _superclasses(task: DistillationTask, dataset: TrainingData, teacher: TeacherOutputs) -> torch.Tensor:
    last = len(teacher.route) - 1

    def features() -> torch.Tensor:
        parts = torch.split(dataset.train.images, CHUNK)
        return torch.cat([teacher.of_anchor(last, normalise(p, dataset.mean, dataset.std)).embedding for p in parts])

    return superclasses(
        features,
        teacher=teacher.route.anchors[last].sha256,
        data=dataset.content_hash(),
        clusters=task.training.superclasses,
        seed=task.teacher.seed,
        folder=teachers_folder(),
    )
