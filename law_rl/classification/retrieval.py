"""How well embeddings find the same identity again: rank-1, rank-5 and mean average precision (mAP)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

ENTRIES = 2**22
"""How many similarities are ranked at a time, which bounds the memory to some hundred MiB."""


@dataclass(frozen=True, kw_only=True)
class RetrievalScores:
    """In percent, over the `queries` that have a match: how many have one in first place and among the first five, and
    the mean over queries of the average precision.
    """

    rank_1: float
    rank_5: float
    mean_average_precision: float
    queries: int


@torch.no_grad()
def retrieval_scores(
    query: Tensor,
    gallery: Tensor,
    *,
    query_identities: Tensor,
    gallery_identities: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
) -> RetrievalScores:
    """For each embedding of `query` [Q, D] the gallery [G, D] is ranked by cosine similarity, largest first.

    A match is a gallery image of the query's identity (int64 [Q] and [G]). With cameras (int64 [Q] and [G]) the
    gallery images of the query's identity and camera are left out of its ranking, as in Market-1501 (Zheng et al.,
    ICCV 2015). Queries without a match left are not counted. The average precision of a query is the mean over its
    matches of (matches up to this one) / (place of this one), places from 1; Market-1501's own program averages
    neighbouring precisions instead.

    Equal similarities, as computed, are ranked in the order of the gallery. Embeddings of any length are taken at
    length 1 and in float32 at least; one without a direction has the similarity 0 with all. Where an embedding is not
    finite, all three scores are NaN. Raises ValueError for shapes that do not fit, and where no query has a match.
    """
    _check(query, gallery, query_identities, gallery_identities, query_cameras, gallery_cameras)
    precision = torch.promote_types(query.dtype, torch.float32)
    finite = bool(query.isfinite().all() and gallery.isfinite().all())
    queries, targets = normalize(query.to(precision)), normalize(gallery.to(precision)).T
    first_places, average_precisions = [], []
    for part in torch.split(torch.arange(len(query), device=query.device), max(1, ENTRIES // len(gallery))):
        same = query_identities[part, None] == gallery_identities
        left_out = torch.zeros_like(same)
        if query_cameras is not None and gallery_cameras is not None:
            left_out = same & (query_cameras[part, None] == gallery_cameras)
        similarities = (queries[part] @ targets).masked_fill_(left_out, -math.inf)
        order = similarities.argsort(dim=1, descending=True, stable=True)
        matches = (same & ~left_out).gather(1, order)
        matches = matches[matches.any(dim=1)]
        first_places.append(matches.int().argmax(dim=1))
        average_precisions.append(_average_precision(matches))
    return _scores(torch.cat(first_places), torch.cat(average_precisions), finite)


def _average_precision(matches: Tensor) -> Tensor:
    """float64 [Q] of matches bool [Q, G] in ranked order, at least one in each row."""
    places = torch.arange(1, matches.shape[1] + 1, device=matches.device)
    precision = matches.cumsum(dim=1).double() / places
    return (precision * matches).sum(dim=1) / matches.sum(dim=1)


def _scores(first_places: Tensor, average_precisions: Tensor, finite: bool) -> RetrievalScores:
    if len(first_places) == 0:
        raise ValueError(
            "No query has a match in the gallery (of its identity, and from another camera where cameras are given): "
            "check the identities and the cameras."
        )
    shares = ((first_places < 1).double(), (first_places < 5).double(), average_precisions)
    values = [100.0 * share.mean().item() if finite else math.nan for share in shares]
    return RetrievalScores(
        rank_1=values[0], rank_5=values[1], mean_average_precision=values[2], queries=len(first_places)
    )


def _check(query: Tensor, gallery: Tensor, *labels: Tensor | None) -> None:
    """`labels` are the identities of query and gallery and then their cameras."""
    fits = query.dim() == 2 == gallery.dim() and query.shape[1] == gallery.shape[1]
    if not fits or not query.is_floating_point() or query.dtype != gallery.dtype or not len(query) or not len(gallery):
        raise ValueError(
            "query and gallery must be embeddings [Q, D] and [G, D] of one floating dtype, neither of them empty, "
            f"not {query.dtype} {tuple(query.shape)} and {gallery.dtype} {tuple(gallery.shape)}."
        )
    names = ("query_identities", "gallery_identities", "query_cameras", "gallery_cameras")
    for name, values, embeddings in zip(names, labels, (query, gallery, query, gallery), strict=True):
        if values is not None and (values.dtype != torch.int64 or values.shape != embeddings.shape[:1]):
            raise ValueError(
                f"{name} must be int64 [{len(embeddings)}], one per embedding, "
                f"not {values.dtype} {tuple(values.shape)}."
            )
    if (labels[2] is None) != (labels[3] is None):
        raise ValueError("query_cameras and gallery_cameras belong together: give both or neither.")
