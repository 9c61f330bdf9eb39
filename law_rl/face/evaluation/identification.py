"""Identification among distractors, as MegaFace counts it."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from law_rl.face.evaluation.pairs import check_identities, directions, similarities

PROBES, DISTRACTORS = 1024, 4096
"""The similarities held at a time are PROBES x DISTRACTORS."""


@torch.no_grad()
def identification_rate(
    embeddings: Tensor, identities: Tensor, distractors: Tensor | None = None, *, rank: int = 1
) -> float:
    """The share in [0, 1] of ordered pairs (p, g) of images of one person in which p finds g among `rank` first places.

    Each pair is a trial of its own: the gallery holds g and the distractors alone, ranked by the cosine with p, and a
    distractor as similar as g comes before it. Embeddings [N, D] of identities int64 [N], distractors [M, D]; without
    distractors the images of all other persons take their part. Raises ValueError for shapes that do not fit, values
    that are not finite, and where no person has two images.

    Source: Kemelmacher-Shlizerman et al., The MegaFace Benchmark, CVPR 2016, whose gallery holds one image of the
    probe's person too.
    """
    check_identities(embeddings, identities)
    if rank < 1:
        raise ValueError(f"rank is {rank}: count places from 1.")
    probes = directions(embeddings, "embeddings")
    others = probes if distractors is None else directions(distractors, "distractors")
    if others.shape[1] != probes.shape[1]:
        raise ValueError(
            f"distractors have {others.shape[1]} dimensions and embeddings {probes.shape[1]}: use one network for both."
        )
    found = trials = 0
    for rows in _blocks(len(probes), PROBES, probes.device):
        labels = identities if distractors is None else None
        to_beat = _to_beat(probes[rows], identities[rows], others, labels, rank)
        for columns in _blocks(len(probes), DISTRACTORS, probes.device):
            genuine = (identities[rows, None] == identities[columns]) & (rows[:, None] != columns)
            ahead = similarities(probes[rows], probes[columns]) > to_beat[:, None]
            found += int((genuine & ahead).sum())
            trials += int(genuine.sum())
    if not trials:
        raise ValueError("no person has two images: give embeddings of persons with more than one.")
    return found / trials


def _to_beat(probes: Tensor, identities: Tensor, others: Tensor, labels: Tensor | None, rank: int) -> Tensor:
    """The similarity [R] of each probe's distractor in place `rank`, -inf where there are fewer.

    With labels [M] those of the probe's own identity are no distractors.
    """
    best = probes.new_full((len(probes), rank), -math.inf)
    for columns in _blocks(len(others), DISTRACTORS, others.device):
        block = similarities(probes, others[columns])
        if labels is not None:
            block.masked_fill_(identities[:, None] == labels[columns], -math.inf)
        # the largest alone is found much faster than the largest few
        largest = block.amax(1, keepdim=True) if rank == 1 else block.topk(min(rank, len(columns))).values
        best = torch.cat([best, largest], dim=1).topk(rank).values
    return best[:, -1]


def _blocks(count: int, size: int, device: torch.device) -> Iterator[Tensor]:
    yield from torch.split(torch.arange(count, device=device), size)
