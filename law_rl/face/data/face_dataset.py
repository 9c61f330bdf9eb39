"""A data set for face recognition: persons to train on, and others, never trained on, to be told apart."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch

from law_rl.data.dataset import Split
from law_rl.face.data.pair_set import PairSet


def tar_name(far: float) -> str:
    """The metric's name: the share of genuine pairs accepted, in percent, where `far` of the impostor pairs are."""
    return f"TAR@{far:g}"


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceSplit:
    """Faces of persons held out: any two are a pair, genuine or not.

    The targets of `faces` are identities. `masked` uint8 [N, C, S, S] are the same faces with a mask drawn on, where
    masked verification is wanted; `protocol` is a list of pairs with folds, where the data has an official one.
    """

    faces: Split
    masked: torch.Tensor | None = None
    protocol: PairSet | None = None

    def __post_init__(self) -> None:
        if self.masked is not None and self.masked.shape != self.faces.images.shape:
            raise ValueError(
                f"FaceSplit.masked has the shape {tuple(self.masked.shape)} and the faces "
                f"{tuple(self.faces.images.shape)}: give one masked image for each"
            )

    def __len__(self) -> int:
        return len(self.faces)

    def to(self, device: torch.device | str) -> Self:
        """The same split on `device`; tensors that are there already are shared."""
        return replace(
            self,
            faces=self.faces.to(device),
            masked=None if self.masked is None else self.masked.to(device),
            protocol=None if self.protocol is None else self.protocol.to(device),
        )

    def tensors(self) -> Iterator[torch.Tensor]:
        """All that it holds, in a fixed order."""
        yield from (self.faces.images, self.faces.targets)
        if self.masked is not None:
            yield self.masked
        if self.protocol is not None:
            yield from (self.protocol.images, self.protocol.pairs, self.protocol.same, self.protocol.fold)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceDataset:
    """Training faces, and faces of other persons for validation and test.

    `class_names` are those of the training identities, numbered from 0 in `train`; those of `validation` and `test`
    have other numbers. `mean` and `std` are per channel of the training images, in uint8 units. The metric is the TAR
    at the false acceptance rate `far`. Raises ValueError where two parts share an identity, a training label has no
    name, or an identity has no second training image.
    """

    name: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    far: float
    train: Split
    validation: FaceSplit
    test: FaceSplit

    def __post_init__(self) -> None:
        labels, classes = self.train.targets, self.classes
        if len(labels) == 0 or not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(
                f"FaceDataset.train needs images, and labels within 0..{classes - 1}, one name for each: number the "
                "training identities from 0"
            )
        few = (torch.bincount(labels, minlength=classes) < 2).nonzero().flatten()
        if len(few):
            raise ValueError(
                f"FaceDataset.train has fewer than two images of {self.class_names[int(few[0])]}: leave that identity "
                "out, there is nothing to learn from one image"
            )
        check_disjoint({"train": labels, "validation": self.validation.faces.targets, "test": self.test.faces.targets})

    @property
    def metric(self) -> str:
        return tar_name(self.far)

    @property
    def fars(self) -> tuple[float, ...]:
        """The false acceptance rates that are measured."""
        return tuple(sorted({0.001, 0.01, self.far}))

    @property
    def classes(self) -> int:
        """The number of training identities."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def with_train(self, train: Split) -> Self:
        """The same data with another training part, normalised as before."""
        return replace(self, train=train)

    def to(self, device: torch.device | str) -> Self:
        """The same data set with every part on `device`."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )

    def content_hash(self) -> str:
        """Hexadecimal sha256 over the name, the class names and all tensors; the same on every device."""
        digest = hashlib.sha256(repr((self.name, self.class_names)).encode())
        for tensor in (self.train.images, self.train.targets, *self.validation.tensors(), *self.test.tensors()):
            digest.update(repr((str(tensor.dtype), tuple(tensor.shape))).encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()


def check_disjoint(identities: dict[str, torch.Tensor]) -> None:
    """ValueError that names two parts which share an identity, int64 [N] each, and the identity."""
    parts = list(identities.items())
    for place, (one, mine) in enumerate(parts):
        for other, theirs in parts[place + 1 :]:
            shared = mine[torch.isin(mine, theirs)]
            if len(shared):
                raise ValueError(
                    f"{one} and {other} share the identity {int(shared[0])}: cut the data by identity, a person "
                    "who was trained on is no test"
                )
