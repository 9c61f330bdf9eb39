"""Faces as a trained network sees them: references, virtual candidates, and held-out faces in every condition."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from torch import Tensor

from benchmarks.degradations import Condition, degrade
from benchmarks.running import bar
from law_rl.counters import torch_generator
from law_rl.face.data.face_dataset import FaceDataset, FaceSplit
from law_rl.face.ida.gan import GanConfig
from law_rl.face.ida.generator import Generator, GeneratorConfig
from law_rl.face.ida.generator_training import train_generator
from law_rl.face.ida.support import check_disjoint_candidates
from law_rl.face.ida.virtual import virtual_candidates
from law_rl.face.task import FaceTask
from policies.distillation import Mixture
from policies.faces import KD_FCD

Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """Embeddings float32 [N, D] of the same faces in each condition, of `identities` int64 [N]."""

    conditions: Mapping[Condition, Tensor]
    identities: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """One network's embeddings: the reference faces, whose persons are in no other part, the generated ones [V, D], and
    those of validation and test.
    """

    reference: Views
    virtual: Tensor
    validation: Views
    test: Views

    def __post_init__(self) -> None:
        for part in (self.validation, self.test):
            check_disjoint_candidates(part.identities, self.reference.identities)


def plain_training_faces(task: FaceTask) -> tuple[Tensor, Tensor]:
    """The training persons' images as they are, without the augmented copies that follow them, and their identities."""
    train = task.dataset.train
    count = len(train) // (1 + task.data.copies)
    return train.images[:count], train.targets[:count]


def trained(task: FaceTask, seed: int) -> Embed:
    """The embedding function of a network of the seed, trained by the best fixed directive; RuntimeError where that
    does not go to its end.
    """
    learner, mixture = task.learner(seed), Mixture(name="kd_fcd", losses=KD_FCD)
    while learner.stage < learner.stages:
        report = learner.train_stage(mixture.directive(learner))
        if report.failure:
            raise RuntimeError(f"the training of seed {seed} ended with {report.failure}: use another seed")
    return learner.embed


def embedded(task: FaceTask, seed: int, generator: Generator, candidates: int) -> Embedded:
    """All faces of the task by its network of the seed; degraded alike for each seed."""
    embed, dataset = trained(task, seed), task.dataset
    assert isinstance(dataset, FaceDataset)
    images, identities = plain_training_faces(task)
    return Embedded(
        reference=_views(images, identities, embed, "degraded reference faces"),
        virtual=virtual_candidates(generator, embed, candidates, 0, image_shape=dataset.image_shape),
        validation=_held_out(dataset.validation, embed, "degraded validation faces"),
        test=_held_out(dataset.test, embed, "degraded test faces"),
    )


def _held_out(split: FaceSplit, embed: Embed, purpose: str) -> Views:
    return _views(split.faces.images, split.faces.targets, embed, purpose)


def _views(images: Tensor, identities: Tensor, embed: Embed, purpose: str) -> Views:
    degraded = {
        condition: degrade(images, condition, torch_generator(0, purpose, number, device=str(images.device)))
        for number, condition in enumerate(get_args(Condition))
    }
    return Views(
        conditions={condition: embed(changed) for condition, changed in degraded.items()}, identities=identities
    )


def gan_config(task: FaceTask, iterations: int) -> GanConfig:
    """That of a generator of the task's kind of images."""
    shape = GeneratorConfig(size=task.data.image_size, channels=task.data.channels)
    return GanConfig(generator=shape, iterations=iterations)


def face_generator(task: FaceTask, iterations: int, folder: Path) -> Generator:
    """A generator trained on the training persons' faces, kept in the folder and gone on with from there."""
    config = gan_config(task, iterations)
    name = hashlib.sha256(repr((config, task.data)).encode()).hexdigest()[:16]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with bar("generator of faces", iterations) as line:
        return train_generator(
            plain_training_faces(task)[0],
            config,
            seed=0,
            path=folder / f"{name}.safetensors",
            observer=lambda done, _: line.show(done),
        )
