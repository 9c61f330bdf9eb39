"""Data sets for metric learning: identities to train on, and others to be found again in a gallery."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch

from law_rl.data.dataset import Split

MEAN_AVERAGE_PRECISION = "mAP"
"""The metric of retrieval."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalSplit:
    """Query images, and the gallery in which other images of the same identity are to be found.

    The targets of both splits are identities. The cameras, int64 with one entry per image, are given for both or for
    neither; with them, gallery images of a query's identity from the query's own camera do not count.
    """

    query: Split
    gallery: Split
    query_cameras: torch.Tensor | None = None
    gallery_cameras: torch.Tensor | None = None

    def __post_init__(self) -> None:
        shapes = [tuple(split.images.shape[1:]) for split in (self.query, self.gallery)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"RetrievalSplit.query has images {shapes[0]} and gallery {shapes[1]}: resize both to one shape."
            )
        if (self.query_cameras is None) != (self.gallery_cameras is None):
            missing = "query_cameras" if self.query_cameras is None else "gallery_cameras"
            raise ValueError(f"RetrievalSplit.{missing} is missing: give the cameras of both splits or of neither.")
        for part in ("query", "gallery"):
            cameras, images = getattr(self, f"{part}_cameras"), getattr(self, part).images
            if cameras is not None and (cameras.dtype != torch.int64 or cameras.shape != images.shape[:1]):
                raise ValueError(
                    f"RetrievalSplit.{part}_cameras must be int64 [{len(images)}], one camera per image, "
                    f"not {cameras.dtype} {tuple(cameras.shape)}."
                )

    @property
    def identities(self) -> torch.Tensor:
        """Every identity of query and gallery once, ascending: int64 [I]."""
        identities: torch.Tensor = torch.unique(torch.cat([self.query.targets, self.gallery.targets]))
        return identities

    def to(self, device: torch.device | str) -> Self:
        """The same split on `device`; tensors that are there already are shared."""
        return replace(
            self,
            query=self.query.to(device),
            gallery=self.gallery.to(device),
            query_cameras=None if self.query_cameras is None else self.query_cameras.to(device),
            gallery_cameras=None if self.gallery_cameras is None else self.gallery_cameras.to(device),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalDataset:
    """Training images of some identities, and retrieval among identities that no other part has.

    `class_names` are those of the training identities, which are numbered from 0 in `train`; the identities of
    `validation` and `test` have other numbers. `mean` and `std` are per channel of the training images, in uint8 units.
    `validation` feeds the reward; `test` is never seen by a search. Raises ValueError where a training label has no
    class name, or two parts share an identity.
    """

    metric: ClassVar[str] = MEAN_AVERAGE_PRECISION
    name: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    validation: RetrievalSplit
    test: RetrievalSplit

    def __post_init__(self) -> None:
        labels = self.train.targets
        if len(labels) == 0 or not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
            raise ValueError(
                f"RetrievalDataset.train needs images, and labels within 0..{self.classes - 1}, one class name per "
                "training identity: number the training identities from 0."
            )
        identities = {"train": labels, "validation": self.validation.identities, "test": self.test.identities}
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            shared = identities[one][torch.isin(identities[one], identities[other])]
            if len(shared):
                raise ValueError(
                    f"RetrievalDataset.{one} and {other} share the identity {int(shared[0])}: cut them by identity, "
                    "and number every identity once."
                )

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
        """Hexadecimal sha256 over the name, the class names and the images, targets and cameras of all parts.

        Equal contents give equal hashes on every device.
        """
        digest = hashlib.sha256(repr((self.name, self.class_names)).encode())
        for tensor in self._tensors():
            digest.update(repr(None if tensor is None else (str(tensor.dtype), tuple(tensor.shape))).encode())
            if tensor is not None:
                digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def _tensors(self) -> Iterator[torch.Tensor | None]:
        yield from (self.train.images, self.train.targets)
        for part in (self.validation, self.test):
            for split, cameras in ((part.query, part.query_cameras), (part.gallery, part.gallery_cameras)):
                yield from (split.images, split.targets, cameras)
