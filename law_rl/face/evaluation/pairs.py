"""Cosine scores of pairs of embeddings: all pairs of a set of images, or those of a list."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.distillation.pairing import full_precision
from law_rl.distillation.vectors import unit

ENTRIES = 2**22
"""How many similarities are held at a time, which bounds the memory beyond the result to some hundred MiB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairScores:
    """Cosines of pairs of images, and whose images they are.

    `genuine` float32 [G] are the scores of pairs of one person, int32 `genuine_person` [G]; `impostor` float32 [I]
    those of two persons, int32 `impostor_first` and `impostor_second` [I]. Persons are indices into `identities` int64
    [P], the distinct identities in ascending order, also of persons in no pair.
    """

    genuine: NDArray[np.float32]
    impostor: NDArray[np.float32]
    genuine_person: NDArray[np.int32]
    impostor_first: NDArray[np.int32]
    impostor_second: NDArray[np.int32]
    identities: NDArray[np.int64]


@torch.no_grad()
def pair_scores(embeddings: Tensor, identities: Tensor, others: Tensor | None = None) -> PairScores:
    """The cosines of all pairs of embeddings [N, D] of images of `identities` int64 [N]: each pair i < j once.

    With `others` [N, D], embeddings of the same images in another condition (masked, say), image i of `embeddings`
    meets image j of `others` for all i != j. Embeddings are taken in float32 at least; one without a direction scores
    0. The result takes 12 bytes a pair. Raises ValueError for shapes that do not fit and embeddings that are not
    finite.
    """
    check_identities(embeddings, identities)
    lefts = directions(embeddings, "embeddings")
    rights = lefts if others is None else directions(others, "others")
    if rights.shape != lefts.shape:
        raise ValueError(
            f"others have shape {tuple(rights.shape)} and embeddings {tuple(lefts.shape)}: "
            "give both for the same images, from one network."
        )
    distinct, places = np.unique(identities.cpu().numpy(), return_inverse=True)
    person: NDArray[np.int32] = places.astype(np.int32)
    length = max(1, ENTRIES // len(person))
    kinds: tuple[list[_Part], list[_Part]] = ([], [])
    for start in range(0, len(person), length):
        scores = similarities(lefts[start : start + length], rights).float().cpu().numpy()
        rows, columns = np.arange(start, start + len(scores))[:, None], np.arange(len(person))
        wanted = columns > rows if others is None else columns != rows
        same = person[rows] == person
        kinds[0].append(_selected(scores, person, start, wanted & same))
        kinds[1].append(_selected(scores, person, start, wanted & ~same))
    (genuine, whose, _), (impostor, first, second) = (
        tuple(np.concatenate(parts) for parts in zip(*kind, strict=True)) for kind in kinds
    )
    return PairScores(
        genuine=genuine,
        impostor=impostor,
        genuine_person=whose,
        impostor_first=first,
        impostor_second=second,
        identities=distinct,
    )


_Part = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]


def _selected(scores: NDArray[np.float32], person: NDArray[np.int32], start: int, mask: NDArray[np.bool_]) -> _Part:
    """The scores [R, N] under the mask with the persons of their rows, which begin at `start`, and of their columns."""
    first = np.repeat(person[start : start + len(mask)], mask.sum(axis=1))
    return scores[mask], first, np.broadcast_to(person, mask.shape)[mask]


@torch.no_grad()
def listed_scores(embeddings: Tensor, pairs: Tensor) -> NDArray[np.float32]:
    """The cosine float32 [V] of each of `pairs` int64 [V, 2], rows of embeddings [N, D].

    Raises ValueError for pairs of rows that do not exist and embeddings that are not finite.
    """
    rows = directions(embeddings, "embeddings")
    if pairs.dtype != torch.int64 or pairs.dim() != 2 or pairs.shape[1] != 2:
        raise ValueError(f"pairs are {pairs.dtype} {tuple(pairs.shape)}: give int64 [V, 2], rows of the embeddings.")
    if len(pairs) and not 0 <= int(pairs.min()) <= int(pairs.max()) < len(rows):
        raise ValueError(
            f"pairs name rows from {int(pairs.min())} to {int(pairs.max())} of {len(rows)} embeddings: "
            "give the embeddings of all images that the pairs were made for."
        )
    parts = torch.split(pairs.to(rows.device), max(1, ENTRIES // rows.shape[1]))
    scores = [(rows[part[:, 0]] * rows[part[:, 1]]).sum(1).float() for part in parts]
    return torch.cat(scores).cpu().numpy()


def directions(embeddings: Tensor, name: str) -> Tensor:
    """Embeddings [N, D] at length 1 in float32 at least, zero vectors as they are; ValueError unless finite."""
    check_embeddings(embeddings, name)
    return unit(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))


def check_embeddings(embeddings: Tensor, name: str) -> None:
    """ValueError unless `embeddings` are finite floats [N, D], at least one row."""
    if embeddings.dim() != 2 or not embeddings.is_floating_point() or not embeddings.numel():
        raise ValueError(
            f"{name} are {embeddings.dtype} {tuple(embeddings.shape)}: give floats [N, D], at least one row."
        )
    finite = embeddings.isfinite().all(1)
    if not finite.all():
        row = int(finite.int().argmin())
        raise ValueError(f"{name} hold NaN or infinite numbers, first in row {row}: find out where training diverged.")


def similarities(rows: Tensor, others: Tensor) -> Tensor:
    """The dot products [R, O] of rows [R, D] and others [O, D], in their own precision also under autocast."""
    with full_precision(rows):
        return rows @ others.T


def check_identities(embeddings: Tensor, identities: Tensor) -> None:
    """ValueError unless `identities` are int64 [N] for N embeddings."""
    if identities.dtype != torch.int64 or identities.shape != embeddings.shape[:1]:
        raise ValueError(
            f"identities are {identities.dtype} {tuple(identities.shape)}: "
            f"give int64 [{len(embeddings)}], one per embedding."
        )
