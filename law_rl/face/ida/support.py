"""Support sets: which candidates count as a face's nearest other identities, and what their cosines are like."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from law_rl.face.evaluation.pairs import check_identities, directions, similarities
from law_rl.face.ida.statistics import NeighbourStatistics

Rule = Literal["top_k", "quantile", "near", "all"]

ENTRIES = 2**22
"""How many cosines are held at a time."""
GAMMA = 16.0
LARGEST_GAMMA = 100.0
"""Beyond it the log-ratio of two very like faces is 0 in float32, however like they are."""


@dataclass(frozen=True, kw_only=True)
class SupportConfig:
    """The rule by which a face a gets its support set S_a among candidates C that share no identity with it.

    top_k:     the `count` candidates with the largest cosine s(a, c)
    quantile:  those with s(a, c) >= the `quantile` of s(a, C), which is one of them, rounded up
    near:      those with s(a, c) >= max s(a, C) - `delta`
    all:       every candidate, as Z-, T- and S-norm do

    The sets of quantile and near are grown to `least` and cut to `most` candidates, always the nearest. `gamma` is the
    sharpness of the evidence. Source: IDA (arXiv 2103.01559) speaks of adaptive support sets on the hypersphere; the
    rules are our reading, as its equations were not available.
    """

    rule: Rule = "top_k"
    count: int = 20
    quantile: float = 0.99
    delta: float = 0.1
    least: int = 5
    most: int = 200
    gamma: float = GAMMA

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule is {self.rule!r}: use one of {', '.join(get_args(Rule))}")
        if self.count < 1:
            raise ValueError(f"count is {self.count}: take at least 1 candidate")
        if not 0 <= self.quantile <= 1:
            raise ValueError(f"quantile is {self.quantile}: give a share of the candidates from 0 to 1")
        if not 0 <= self.delta <= 2:
            raise ValueError(f"delta is {self.delta}: give a difference of cosines from 0 to 2")
        if not 1 <= self.least <= self.most:
            raise ValueError(f"least is {self.least} and most is {self.most}: give 1 <= least <= most")
        if not 0 < self.gamma <= LARGEST_GAMMA:
            raise ValueError(f"gamma is {self.gamma}: give a number above 0 and at most {LARGEST_GAMMA:g}")

    @property
    def needed(self) -> int:
        """How many candidates of other identities a face must have."""
        return {"top_k": self.count, "all": 1}.get(self.rule, self.least)


@torch.no_grad()
def support_statistics(
    embeddings: Tensor,
    candidates: Tensor,
    config: SupportConfig,
    *,
    identities: Tensor | None = None,
    candidate_identities: Tensor | None = None,
) -> NeighbourStatistics:
    """The statistics of each of `embeddings` [N, D] over its support set among `candidates` [M, D], on their device.

    Both are taken at length 1 and in float32; a vector without a direction has the cosine 0 with all. With
    `identities` int64 [N] and `candidate_identities` int64 [M] no candidate of a face's own identity is in its set;
    without them the caller knows that there is none. Part by part: 4 million cosines are held at a time. Raises
    ValueError for shapes that do not fit, values that are not finite, identities on one side alone, and a face with
    fewer candidates than its set must have.
    """
    faces, others = directions(embeddings, "embeddings").float(), directions(candidates, "candidates").float()
    check_widths(faces, others)
    if (identities is None) != (candidate_identities is None):
        raise ValueError("identities are given on one side alone: give those of the faces and of the candidates.")
    if identities is not None and candidate_identities is not None:
        check_identities(embeddings, identities)
        check_identities(candidates, candidate_identities)
    return directed_statistics(faces, others, config, identities, candidate_identities)


@torch.no_grad()
def directed_statistics(
    faces: Tensor,
    candidates: Tensor,
    config: SupportConfig,
    identities: Tensor | None = None,
    candidate_identities: Tensor | None = None,
) -> NeighbourStatistics:
    """`support_statistics` of directions float32 [N, D] and [M, D] that are known to fit."""
    found = []
    for rows in torch.split(torch.arange(len(faces), device=faces.device), max(1, ENTRIES // len(candidates))):
        cosines = similarities(faces[rows], candidates)
        available = torch.full_like(rows, len(candidates))
        if identities is not None and candidate_identities is not None:
            own = identities[rows, None] == candidate_identities
            cosines.masked_fill_(own, -math.inf)
            available -= own.sum(1)
        found.append(_statistics(cosines, available, config, int(rows[0])))
    return NeighbourStatistics.joined(found)


def check_widths(embeddings: Tensor, candidates: Tensor) -> None:
    """ValueError unless embeddings [N, D] and candidates [M, D] have one width."""
    if embeddings.shape[1] != candidates.shape[1]:
        raise ValueError(
            f"embeddings have {embeddings.shape[1]} dimensions and candidates {candidates.shape[1]}: "
            "use one network for both."
        )


def check_disjoint_candidates(identities: Tensor, candidate_identities: Tensor) -> None:
    """ValueError unless no identity of `identities` int64 [N] is among `candidate_identities` int64 [M]."""
    shared = torch.isin(identities, candidate_identities.to(identities.device))
    if shared.any():
        identity = int(identities[shared.int().argmax()])
        raise ValueError(
            f"identity {identity} is among the candidates and among the faces that are compared: take candidates of "
            "other persons."
        )


def _statistics(cosines: Tensor, available: Tensor, config: SupportConfig, start: int) -> NeighbourStatistics:
    """Of cosines [B, M], -inf where a candidate may not be taken, all but `available` int64 [B] of them; the first row
    is that of face `start`.
    """
    if len(cosines) and int(available.amin()) < config.needed:
        row = int(available.argmin())
        raise ValueError(
            f"face {start + row} has {int(available[row])} candidates of other identities and its support set needs "
            f"{config.needed}: give more candidates, or ask for a smaller set."
        )
    if config.rule == "all":
        return _moments(cosines, cosines > -math.inf, config.gamma)
    size = config.count if config.rule == "top_k" else min(config.most, cosines.shape[1])
    nearest = cosines.topk(size).values
    return _moments(nearest, _members(nearest, available, config), config.gamma)


def _members(nearest: Tensor, available: Tensor, config: SupportConfig) -> Tensor:
    """Which of the nearest cosines [B, K], largest first, are in the support set: bool [B, K]."""
    if config.rule == "top_k":
        return torch.ones_like(nearest, dtype=torch.bool)
    if config.rule == "quantile":
        place = available - 1 - torch.ceil(config.quantile * (available - 1).double()).long()
        threshold = nearest.gather(1, place.clamp_max(nearest.shape[1] - 1)[:, None])
    else:
        threshold = nearest[:, :1] - config.delta
    ranks = torch.arange(nearest.shape[1], device=nearest.device)
    return (nearest >= threshold) | (ranks < config.least)


def _moments(cosines: Tensor, members: Tensor, gamma: float) -> NeighbourStatistics:
    """Of cosines [B, K] where `members` bool [B, K]: computed in float64, kept in float32."""
    count = members.sum(1)
    values = cosines.double().masked_fill_(~members, 0.0)
    mean = values.sum(1) / count
    deviations = (values - mean[:, None]).masked_fill_(~members, 0.0)
    evidence = (gamma * values).masked_fill_(~members, -math.inf).logsumexp(1)
    return NeighbourStatistics(
        mean=mean.float(),
        std=(deviations.square().sum(1) / count).sqrt().float(),
        evidence=evidence.float(),
        count=count,
    )
