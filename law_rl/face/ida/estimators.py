"""Estimators: where a face's neighbour statistics come from at the time of use."""

from collections.abc import Mapping
from typing import Protocol, Self

from torch import Tensor

from law_rl.face.evaluation.pairs import directions
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, check_widths, directed_statistics


class Estimator(Protocol):
    """Knows, or guesses, the statistics of any face from its embedding."""

    def statistics(self, embeddings: Tensor) -> NeighbourStatistics:
        """The statistics of each of `embeddings` [N, D], on their device; ValueError for another width."""
        ...


class GalleryEstimator:
    """The statistics over candidates that are there: faces of a gallery, or a generator's (see `virtual`).

    `candidates` [M, D], kept at length 1 in float32. None may show a person that is asked about: what the statistics
    say would be the person itself. Raises ValueError for other shapes, values that are not finite, and fewer candidates
    than a support set needs.
    """

    def __init__(self, candidates: Tensor, config: SupportConfig) -> None:
        self.candidates = directions(candidates.detach(), "candidates").float()
        self.config = config
        if len(candidates) < config.needed:
            raise ValueError(
                f"there are {len(candidates)} candidates and a support set needs {config.needed}: give more, or "
                "ask for a smaller set."
            )

    def statistics(self, embeddings: Tensor) -> NeighbourStatistics:
        """The statistics of each of `embeddings` [N, D], on their device; ValueError for another width."""
        faces = directions(embeddings, "embeddings").float()
        check_widths(faces, self.candidates)
        return directed_statistics(faces, self.candidates.to(faces.device), self.config)

    def tensors(self) -> dict[str, Tensor]:
        """What `from_tensors` makes the estimator from again."""
        return {"candidates": self.candidates}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: SupportConfig) -> Self:
        """ValueError where the tensors are not those of a gallery."""
        if set(tensors) != {"candidates"}:
            raise ValueError(f"a gallery is the tensor candidates alone, and here are {sorted(tensors)}")
        return cls(tensors["candidates"], config)
