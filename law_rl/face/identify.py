"""Identification: whose face is it, among a gallery of any size on the disk?"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from law_rl.distillation.vectors import unit
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.nearest import Matches, nearest

ROWS = 2**14
"""How many gallery rows are read at a time."""

Observer = Callable[[int, int], None]
"""Is told how many of the gallery's rows are done, and how many there are."""


@torch.no_grad()
def identify(probes: Tensor, gallery: EmbeddingFile, k: int = 1, observer: Observer | None = None) -> Matches:
    """For each of `probes` [Q, D] the k embeddings of the gallery with the largest cosine: float32 and int64 [Q, k].

    Both are taken at length 1 and in float32; a vector without a direction has the cosine 0 with all. Equal cosines
    come in the order of the gallery. Exact: see `nearest`. The gallery is read once, part by part. Computed on the
    probes' device. Raises ValueError for probes of another width or not finite, a gallery that is not finite, and a k
    below 1 or above its size.
    """
    if probes.ndim != 2 or probes.shape[1] != gallery.width:
        raise ValueError(
            f"probes are {tuple(probes.shape)} and the embeddings in {gallery.path} have {gallery.width} entries: "
            "embed both with one network."
        )
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k is {k}: ask for at least 1 match and at most {len(gallery)}, the size of {gallery.path}.")
    if not probes.isfinite().all():
        raise ValueError("probes hold numbers that are not finite: embed them with a network that has not diverged.")
    return nearest(_directions(probes), _chunks(gallery, probes.device, observer), k)


def _chunks(gallery: EmbeddingFile, device: torch.device, observer: Observer | None) -> Iterator[Tensor]:
    total = len(gallery)
    for start in range(0, total, ROWS):
        stop = min(start + ROWS, total)
        yield _directions(gallery.rows(start, stop).to(device))
        if observer is not None:
            observer(stop, total)


def _directions(vectors: Tensor) -> Tensor:
    """`unit` of vectors [N, D] in float32, by the shorter way for those of an everyday length; each row for itself."""
    vectors = vectors.float()
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    directions: Tensor = vectors / lengths
    odd = ~((lengths > 1e-6) & (lengths < 1e15)).squeeze(1)
    directions[odd] = unit(vectors[odd])
    return directions
