"""Cutting faces by identity: which persons are trained on, and which are held out."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig, augment
from law_rl.data.dataset import Split, channel_statistics
from law_rl.data.mask_faces import mask_faces
from law_rl.data.splits import rank_within_class
from law_rl.face.data.face_dataset import FaceDataset, FaceSplit
from law_rl.face.data.pair_set import PairSet


def split_identities(
    name: str,
    faces: Split,
    names: Sequence[str],
    *,
    far: float,
    least: int,
    most: int,
    validation: torch.Tensor,
    test: torch.Tensor,
    copies: AugmentConfig,
    count: int,
    protocol: PairSet | None = None,
) -> FaceDataset:
    """Trains on all persons with at least `least` images but those held out; the targets of `faces` are persons.

    `validation` and `test` int64 are persons; `names` those of all. A held-out person shows the first `most` images, so
    that none outweighs the rest. These faces also come masked, and each training image is followed by `count` copies
    augmented as `copies` says, all drawn once and for all. Raises ValueError where no person is left to train on.
    """
    person = faces.targets
    sizes = torch.bincount(person, minlength=len(names))
    held_out = torch.cat([validation, test])
    trained = torch.ones(len(names), dtype=torch.bool).index_fill_(0, held_out, False) & (sizes >= max(least, 2))
    identities = trained.nonzero().flatten()
    if len(identities) < 2:
        raise ValueError(
            f"{len(identities)} of {len(names)} persons of {name} are left to train on, with {len(held_out)} held out "
            f"and at least {least} images each: hold out fewer (validation_identities, test_identities), or lower least"
        )
    train = with_copies(_of(faces, identities, len(faces)), copies, count)
    labels = torch.searchsorted(identities, train.targets)
    mean, std = channel_statistics(train.images)
    return FaceDataset(
        name=name,
        class_names=tuple(names[person] for person in identities.tolist()),
        mean=mean,
        std=std,
        far=far,
        train=Split(images=train.images, targets=labels, true_targets=labels),
        validation=_held_out(_of(faces, validation, most), len(names), "masked validation faces"),
        test=replace(_held_out(_of(faces, test, most), len(names), "masked test faces"), protocol=protocol),
    )


def with_copies(train: Split, copies: AugmentConfig, count: int) -> Split:
    """The images, then `count` augmented versions of all of them, which no seed changes."""
    versions = [train.images]
    for number in range(count):
        versions.append(augment(train.images, copies, torch_generator(0, "copies of training faces", number)))
    return Split(images=torch.cat(versions), targets=train.targets.repeat(count + 1))


def draw_identities(persons: torch.Tensor, count: int, purpose: str) -> torch.Tensor:
    """`count` of the persons int64 [P], drawn once and for all by the purpose; ValueError where there are too few."""
    if count >= len(persons):
        raise ValueError(f"{purpose} asks for {count} of {len(persons)} persons: leave some to train on")
    return persons[torch.randperm(len(persons), generator=torch_generator(0, purpose))][:count]


def _of(faces: Split, persons: torch.Tensor, most: int) -> Split:
    """The first `most` images of each of these persons."""
    chosen = torch.isin(faces.targets, persons) & (rank_within_class(faces.targets) < most)
    return faces.subset(chosen)


def _held_out(faces: Split, persons: int, purpose: str) -> FaceSplit:
    """Person p as identity P + p, because training labels take the numbers below P; masks are drawn by the purpose."""
    masked = mask_faces(faces.images, torch_generator(0, purpose))
    return FaceSplit(faces=Split(images=faces.images, targets=faces.targets + persons), masked=masked)
