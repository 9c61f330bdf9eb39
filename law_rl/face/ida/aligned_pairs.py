"""Pairs of images with their cosine and their aligned score: all pairs of a set of images, or those of a list."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.face.evaluation.pairs import PairScores, directions, listed_scores, similarities
from law_rl.face.ida.aligner import ScoreAligner

ENTRIES = 2**22
"""How many cosines are held at a time, beyond the result."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignedPairs:
    """Of V pairs of N images: `rows` int32 [V, 2] of the images, `cosine` and `aligned` float32 [V]; and of each image
    `mean` float32 [N], its mean cosine to its neighbours.
    """

    rows: NDArray[np.int32]
    cosine: NDArray[np.float32]
    aligned: NDArray[np.float32]
    mean: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)


@torch.no_grad()
def align_all(embeddings: Tensor, aligner: ScoreAligner) -> AlignedPairs:
    """Every pair i < j of embeddings [N, D]; i is the probe for methods that tell the sides apart.

    The result takes 16 bytes a pair. Raises ValueError as `ScoreAligner.statistics` does.
    """
    faces, known = directions(embeddings, "embeddings").float(), aligner.statistics(embeddings)
    columns, parts = torch.arange(len(faces), device=faces.device), []
    for rows in torch.split(columns, max(1, ENTRIES // len(faces))):
        places, second = (columns > rows[:, None]).nonzero().unbind(1)
        first, cosines = rows[places], similarities(faces[rows], faces)[places, second]
        aligned = aligner.align(cosines, known.at(first), known.at(second))
        parts.append([part.cpu().numpy() for part in (torch.stack([first, second], 1).int(), cosines, aligned.float())])
    pairs, cosine, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return AlignedPairs(rows=pairs, cosine=cosine, aligned=scores, mean=known.mean.cpu().numpy())


@torch.no_grad()
def align_listed(embeddings: Tensor, pairs: Tensor, aligner: ScoreAligner) -> AlignedPairs:
    """The `pairs` int64 [V, 2], rows of embeddings [N, D]; the first is the probe. ValueError as `listed_scores`."""
    cosine, known = listed_scores(embeddings, pairs), aligner.statistics(embeddings)
    first, second = pairs.to(embeddings.device).unbind(1)
    aligned = aligner.align(torch.from_numpy(cosine).to(embeddings.device), known.at(first), known.at(second))
    return AlignedPairs(
        rows=pairs.cpu().numpy().astype(np.int32),
        cosine=cosine,
        aligned=aligned.float().cpu().numpy(),
        mean=known.mean.cpu().numpy(),
    )


def verification(
    scores: NDArray[np.float32], rows: NDArray[np.integer], persons: NDArray[np.integer], same: NDArray[np.bool_]
) -> PairScores:
    """Scores [V] of pairs [V, 2] of images of `persons` [N], genuine where `same` [V]; of persons in pairs alone."""
    identities, places = np.unique(persons[rows], return_inverse=True)
    ends = places.reshape(rows.shape).astype(np.int32)
    return PairScores(
        genuine=scores[same],
        impostor=scores[~same],
        genuine_person=ends[same, 0],
        impostor_first=ends[~same, 0],
        impostor_second=ends[~same, 1],
        identities=identities.astype(np.int64),
    )
