"""Tiny faces, teachers and students of them, and how two trainings are compared."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

import torch

from law_rl.classification.learner import ClassificationLearner
from law_rl.classification.networks import Classifier, NetworkConfig, build_network
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import Split, normalise
from law_rl.distillation.route import Route
from law_rl.distillation.teacher import TeacherConfig
from law_rl.distillation.teacher_outputs import TeacherOutputs
from law_rl.face.data.face_dataset import FaceDataset
from law_rl.face.data.held_out import split_identities
from law_rl.face.data.pair_set import PairSet
from law_rl.face.data.synthetic import SyntheticConfig, synthetic_faces
from law_rl.face.ida.crowding import crowding
from law_rl.face.identity_bank import prototypes
from law_rl.face.learner import FaceConfig, FaceLossTerms
from law_rl.face.mining import hardest_identities
from law_rl.face.partners import random_partners
from law_rl.face.relation_config import RelationConfig
from law_rl.face.student import FaceStudent, Relations
from law_rl.learner import Directive

SIDE, PERSONS, EACH, CLASSES, SEED = 16, 12, 6, 7, 3
NETWORK = NetworkConfig(name="face_cnn", width=4, depth=1, embedding=6, classifier="cosine", scale=16.0)
NARROW = replace(NETWORK, embedding=5)
"""A student's network that embeds in 5 dimensions, where the teacher has 6."""

TEACHER = TeacherConfig(
    training=FaceConfig(network=NETWORK, optimiser=OptimiserConfig(lr=0.05), batch_size=14, epochs=4), every=2
)
PLAIN = FaceConfig(
    network=NETWORK,
    optimiser=OptimiserConfig(lr=0.05, milestones=(0.5,)),
    batch_size=14,
    epochs=3,
    stages=3,
    features=("teacher_cosine", "centre_cosine", "margin"),
    relation=RelationConfig(count=3),
)
"""Nine steps in three stages."""


@lru_cache
def faces() -> FaceDataset:
    """Drawings of 12 persons: 7 to train on, 2 for validation, 3 for test with pairs in two folds."""
    images, identities = synthetic_faces(SyntheticConfig(identities=PERSONS, per_identity=EACH, size=SIDE))
    pairs = torch.tensor([[0, 1], [6, 7], [0, 6], [1, 7], [2, 3], [8, 9], [2, 8], [3, 9]])
    return split_identities(
        "tiny",
        Split(images=images, targets=identities),
        [f"person {number}" for number in range(PERSONS)],
        far=0.1,
        least=2,
        most=5,
        validation=torch.tensor([4, 7]),
        test=torch.tensor([0, 1, 9]),
        copies=AugmentConfig(),
        count=0,
        protocol=PairSet(
            images=images[: 2 * EACH],
            pairs=pairs,
            same=torch.tensor([True, True, False, False] * 2),
            fold=torch.tensor([0] * 4 + [1] * 4),
        ),
    )


def teacher_network(device: str = "cpu") -> Classifier:
    """The teacher's network with any weights."""
    return build_network(NETWORK, image_shape=(1, SIDE, SIDE), classes=CLASSES, seed=0, device=device)


def relations(teacher: TeacherOutputs, config: RelationConfig, device: str = "cpu", crowded: bool = True) -> Relations:
    """What the converged teacher knows of the identities, and of the images where `crowded`."""
    data = faces().to(device)
    inputs = normalise(data.train.images, data.mean, data.std)
    embeddings = teacher.of_anchor(len(teacher.route) - 1, inputs).embedding
    known = prototypes(embeddings, data.train.targets, CLASSES)
    partners = None
    if config.partners == "hardest":
        partners = hardest_identities(known, config.count)
    elif config.partners == "random":
        partners = random_partners(CLASSES, config.count, seed=0).to(device)
    found = crowding(embeddings, data.train.targets, known) if crowded else None
    return Relations(prototypes=known, partners=partners, crowding=found)


def student(route: Route, losses: dict[str, float] | None = None, *, seed: int = SEED, **changes: Any) -> FaceStudent:
    """A student with changes to PLAIN; `losses` are weights of terms, of which those not named are 0."""
    if losses is not None:
        changes["losses"] = FaceLossTerms(**({"ce": 0.0} | losses))
    config = replace(PLAIN, **changes)
    data = faces().to(config.device)
    inputs = None if config.augment.changes else normalise(data.train.images, data.mean, data.std)
    teacher = TeacherOutputs(
        route, lambda: teacher_network(config.device), config.device, between=config.between, inputs=inputs
    )
    groups = None if config.sampler == "shuffled" else data.train.targets
    crowded = "crowding" in config.features
    known = relations(teacher, config.relation, config.device, crowded)
    return FaceStudent(config, data, seed, teacher, groups, known)


Curriculum = Callable[[int], Directive]
Trained = TypeVar("Trained", bound=ClassificationLearner)


def train(learner: Trained, curriculum: Curriculum = lambda stage: Directive(), until: int | None = None) -> Trained:
    while learner.stage < (learner.stages if until is None else until):
        assert not learner.train_stage(curriculum(learner.stage)).failure
    return learner


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in (str(key), *leaves(tree[key]))]
    if isinstance(tree, list | tuple):
        return [leaf for entry in tree for leaf in leaves(entry)]
    return [tree]


def equal(one: Any, other: Any) -> bool:
    """Whether two trees of tensors and values are the same to the bit; keys that are numbers may be strings."""
    first, second = leaves(one), leaves(other)
    return len(first) == len(second) and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(first, second, strict=True)
    )


def same_bits(one: ClassificationLearner, other: ClassificationLearner) -> bool:
    """Whether two learners are in the same state."""
    return equal(one.snapshot(), other.snapshot())


def same_networks(one: ClassificationLearner, other: ClassificationLearner) -> bool:
    """Whether two learners' networks are the same, whatever they remember of their training."""
    return equal(one.network.state_dict(), other.network.state_dict())
