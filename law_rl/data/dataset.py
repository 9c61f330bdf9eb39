"""A data set in memory: uint8 images and integer labels of its training, validation and test splits."""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self

import torch

ACCURACY = "accuracy"
"""The metric of classification: top-1 accuracy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """One part of a data set: images uint8 [N, C, H, W] and labels int64 [N].

    `targets` are the labels that training sees; `true_targets` the labels before corruption, None where unknown.
    """

    images: torch.Tensor
    targets: torch.Tensor
    true_targets: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.dim() != 4:
            raise ValueError(
                f"Split.images must be uint8 [N, C, H, W], not {self.images.dtype} {tuple(self.images.shape)}."
            )
        for field in ("targets", "true_targets"):
            labels = getattr(self, field)
            if labels is not None and (labels.dtype != torch.int64 or labels.shape != self.images.shape[:1]):
                raise ValueError(
                    f"Split.{field} must be int64 [{len(self.images)}], one label per image, "
                    f"not {labels.dtype} {tuple(labels.shape)}."
                )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def mislabelled(self) -> torch.Tensor | None:
        """Bool [N]: where `targets` differs from `true_targets`; None where the true labels are unknown."""
        return None if self.true_targets is None else self.targets != self.true_targets

    def to(self, device: torch.device | str) -> Self:
        """The same split on `device`; tensors that are there already are shared."""
        true_targets = None if self.true_targets is None else self.true_targets.to(device)
        return replace(self, images=self.images.to(device), targets=self.targets.to(device), true_targets=true_targets)

    def subset(self, indices: torch.Tensor) -> Self:
        """The samples at `indices` (int64, or bool [N]), in that order, as a copy."""
        true_targets = None if self.true_targets is None else self.true_targets[indices]
        return replace(self, images=self.images[indices], targets=self.targets[indices], true_targets=true_targets)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Three disjoint splits and what is needed to normalise them.

    `mean` and `std` are per channel of the training images, in uint8 units. `validation` is clean and feeds the
    reward; `test` is clean and never seen by a search.
    """

    metric: ClassVar[str] = ACCURACY
    name: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    validation: Split
    test: Split

    @property
    def classes(self) -> int:
        """The number of classes."""
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
        """The same data set with every split on `device`."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )

    def content_hash(self) -> str:
        """Hexadecimal sha256 over the name, the class names and the images and targets of the three splits.

        Equal contents give equal hashes on every device; another draw of label noise gives another hash.
        """
        digest = hashlib.sha256(repr((self.name, self.class_names)).encode())
        for split in (self.train, self.validation, self.test):
            for tensor in (split.images, split.targets):
                digest.update(repr((str(tensor.dtype), tuple(tensor.shape))).encode())
                digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()


def normalise(images_uint8: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """Images [N, C, H, W] to float32 with (x - mean) / std per channel, on the images' device.

    `mean` and `std` hold one value per channel in uint8 units. Raises ValueError where their number does not fit.
    """
    if not len(mean) == len(std) == images_uint8.shape[1]:
        raise ValueError(
            f"mean ({len(mean)} values) and std ({len(std)} values) must hold one value for each of the "
            f"{images_uint8.shape[1]} channels of the images."
        )
    return (images_uint8 - _per_channel(mean, images_uint8.device)).div_(_per_channel(std, images_uint8.device))


@lru_cache(maxsize=64)
def _per_channel(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Kept on the device, so that normalising a batch copies nothing from the host."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)


def channel_statistics(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and population standard deviation per channel of uint8 images, from exact integer sums.

    A constant channel gets the deviation 1, so that normalising it gives zeros.
    """
    total = torch.zeros(images.shape[1], dtype=torch.int64, device=images.device)
    squares = torch.zeros_like(total)
    for chunk in torch.split(images, 1024):
        values = chunk.to(torch.int64)
        total += values.sum(dim=(0, 2, 3))
        squares += values.square_().sum(dim=(0, 2, 3))
    count = images.numel() // images.shape[1]
    mean = total.double() / count
    std = (squares.double() / count - mean.square()).clamp(min=0).sqrt()
    constant = squares * count == total.square()
    return tuple(mean.tolist()), tuple(std.masked_fill(constant, 1.0).tolist())
