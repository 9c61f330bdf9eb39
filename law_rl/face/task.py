"""A task of face distillation: faces, teacher and training in one value from which every seed's student is made."""

from dataclasses import dataclass, field
from functools import lru_cache

import torch

from law_rl.data.dataset import normalise
from law_rl.distillation.task import (
    DistillationTask,
    SharedByStudents,
    as_the_teacher_sees,
    shared_by_students,
)
from law_rl.distillation.teacher_outputs import CHUNK
from law_rl.face.data.sources import FaceDataConfig
from law_rl.face.ida.crowding import crowding
from law_rl.face.identity_bank import prototypes
from law_rl.face.learner import FaceConfig
from law_rl.face.mining import hardest_identities
from law_rl.face.partners import random_partners
from law_rl.face.relation_config import RelationConfig
from law_rl.face.student import FaceStudent, Relations


@dataclass(frozen=True, kw_only=True)
class FaceTask(DistillationTask):
    """Distils a face teacher into a student that tells apart persons whom neither has seen.

    A seed draws the student's initialisation and batches. The teacher's training is a FaceConfig too, of labels alone.
    """

    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    training: FaceConfig = field(default_factory=FaceConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.teacher.training, FaceConfig):
            raise ValueError(
                f"teacher.training is a {type(self.teacher.training).__name__}: give a law_rl.face.learner.FaceConfig, "
                "so that the teacher learns by a margin softmax as its student does"
            )

    def learner(self, seed: int) -> FaceStudent:
        """A fresh student; the teacher is trained first where it is missing, and shared by all students here."""
        shared = shared_by_students(self)
        return FaceStudent(self.training, shared.dataset, seed, shared.teacher, shared.groups, _relations(self))


@lru_cache(maxsize=4)
def _relations(task: FaceTask) -> Relations:
    known = _prototypes(as_the_teacher_sees(task))
    wanted = "crowding" in task.training.features
    return Relations(
        prototypes=known,
        partners=_partners(known, task.training.relation),
        crowding=_crowding(task, known) if wanted else None,
    )


@lru_cache(maxsize=4)
def _prototypes(task: FaceTask) -> torch.Tensor:
    shared = shared_by_students(task)
    train = shared.dataset.train
    return prototypes(converged_embeddings(shared), train.targets, shared.dataset.classes)


def _crowding(task: FaceTask, known: torch.Tensor) -> torch.Tensor:
    shared = shared_by_students(task)
    return crowding(converged_embeddings(shared), shared.dataset.train.targets, known)


def converged_embeddings(shared: SharedByStudents) -> torch.Tensor:
    """The converged teacher's embeddings float32 [N, D] of the training images as they are."""
    teacher, dataset = shared.teacher, shared.dataset
    last = len(teacher.route) - 1
    parts = torch.split(dataset.train.images, CHUNK)
    return torch.cat([teacher.of_anchor(last, normalise(p, dataset.mean, dataset.std)).embedding for p in parts])


def _partners(known: torch.Tensor, config: RelationConfig) -> torch.Tensor | None:
    """The identities [C, K] that each is related with, fixed for all trainings; None: from the batch."""
    match config.partners:
        case "hardest":
            return hardest_identities(known, config.count)
        case "random":
            return random_partners(len(known), config.count, seed=0).to(known.device)
        case "batch":
            return None
