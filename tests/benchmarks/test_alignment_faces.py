"""Which faces a network embeds, and that a generator is trained once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor

from benchmarks import alignment_faces
from benchmarks.alignment_faces import embedded, face_generator, plain_training_faces
from benchmarks.degradations import Condition
from law_rl.data.augment import AugmentConfig
from law_rl.data.places import TEACHERS
from law_rl.face.task import FaceTask
from law_rl.learner import Directive
from tests.benchmarks.alignment import embedded_faces
from tests.law_rl.face.tasks import TASK


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceTask]:
    """The tiny task, its teacher kept away from those of others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield TASK


def test_references_are_the_training_faces_without_copies(task: FaceTask) -> None:
    copied = replace(task, data=replace(task.data, copies=2, augment=AugmentConfig(flip=True)))
    images, identities = plain_training_faces(copied)
    assert torch.equal(images, task.dataset.train.images)
    assert torch.equal(identities, task.dataset.train.targets)


def generated(noise: Tensor) -> Tensor:
    return 127.5 * (1 + torch.tanh(noise)).reshape(-1, 1, 16, 16)


generated.noise_width = 256  # type: ignore[attr-defined]


def test_a_network_embeds_every_part_in_every_condition(task: FaceTask, monkeypatch: pytest.MonkeyPatch) -> None:
    embeds = []
    original = alignment_faces.trained
    monkeypatch.setattr(alignment_faces, "trained", lambda *args: embeds.append(original(*args)) or embeds[-1])
    faces = embedded(task, 3, generated, 11)  # type: ignore[arg-type]
    dataset, embed = task.dataset, embeds[0]
    assert faces.virtual.shape == (11, 8) and len(faces.virtual.unique(dim=0)) == 11
    assert torch.equal(faces.reference.conditions["plain"], embed(dataset.train.images))
    for part, split in ((faces.validation, dataset.validation), (faces.test, dataset.test)):
        assert list(part.conditions) == list(get_args(Condition))
        assert torch.equal(part.conditions["plain"], embed(split.faces.images))
        assert torch.equal(part.identities, split.faces.targets)
        rows = [tuple(embeddings.flatten().tolist()) for embeddings in part.conditions.values()]
        assert len(set(rows)) == len(rows)


def test_networks_follow_the_directive_and_see_the_same_degraded_images(
    task: FaceTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Directive] = []
    learner = type(task.learner(0))
    original = learner.train_stage
    monkeypatch.setattr(
        learner, "train_stage", lambda self, directive: seen.append(directive) or original(self, directive)
    )
    images: list[Tensor] = []
    monkeypatch.setattr(learner, "embed", lambda self, given: images.append(given) or self._embeddings(given))
    for seed in (3, 4):
        embedded(task, seed, generated, 5)  # type: ignore[arg-type]
    assert [dict(directive.losses)["kd"] for directive in seen] == [1.0] * (2 * task.stages)
    half = len(images) // 2
    assert all(torch.equal(one, other) for one, other in zip(images[:half], images[half:], strict=True))


def test_shared_identities_are_refused() -> None:
    faces = embedded_faces()
    with pytest.raises(ValueError, match="identity 205 is among the candidates"):
        replace(faces, reference=replace(faces.reference, identities=faces.reference.identities.clone().fill_(205)))


def test_a_generator_is_trained_once_and_kept(task: FaceTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = torch.randn(2, 64)
    first = face_generator(task, 2, tmp_path / "generators")(noise)
    assert first.shape == (2, 1, 16, 16)
    monkeypatch.setattr("law_rl.face.ida.gan.GanTraining.step", lambda self: pytest.fail("trained again"))
    assert torch.equal(face_generator(task, 2, tmp_path / "generators")(noise), first)
    (kept,) = (tmp_path / "generators").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600 and (tmp_path / "generators").stat().st_mode & 0o777 == 0o700
