"""What data sets of codecs share: a part to train on, one to validate and one to test, of photographs apart."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch

from law_rl.compression.rd_cost import RD_DB


class Part(Protocol):
    """Samples on a device."""

    def __len__(self) -> int: ...

    def to(self, device: Any, /) -> Self: ...


P = TypeVar("P", bound=Part)


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts(Generic[P]):
    """Samples of photographs, or of parts of them, of which no two of the three share any."""

    metric: ClassVar[str] = RD_DB
    name: str
    train: P
    validation: P
    test: P

    def to(self, device: torch.device | str) -> Self:
        """The same samples on `device`; tensors that are there already are shared."""
        return replace(
            self, train=self.train.to(device), validation=self.validation.to(device), test=self.test.to(device)
        )


def content_hash(name: str, tensors: Iterable[torch.Tensor]) -> str:
    """Hexadecimal sha256 over the name of a data set and its tensors uint8."""
    digest = hashlib.sha256(name.encode())
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()
