"""Exact nearest neighbours by dot product: candidates from fast, coarse products, then their order from float64."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from law_rl.distillation.pairing import full_precision
from law_rl.face.ranking_keys import EMPTY, decode, encode

ROWS, BLOCK = 2**17, 2**10
"""How many gallery rows and queries are compared at a time, at most, and"""
PRODUCTS = 2**26
"""how many coarse products are held."""
GROUP = 32
"""Of how many columns one maximum is taken: a group with a low maximum holds no candidate."""
PIECE, PAIRS = 2**12, 2**13
"""How many vectors are rounded, and how many candidates multiplied in float64, at a time: enough work for threads to
share, and little enough memory to be used again.
"""
SHARE = 64
"""A query with more candidates than 4 k and one in so many gallery rows is compared with all rows instead."""
LONGEST = 1e18
"""Longer vectors could have products above float32's range."""

_HALF_ULP = 2.0**-8
"""bfloat16 keeps 8 significant bits: rounding moves a number by at most this share of it."""


class Matches(NamedTuple):
    """`similarities` float32 [Q, k], largest first, and the `indices` int64 [Q, k] of their gallery rows."""

    similarities: Tensor
    indices: Tensor


@torch.no_grad()
def nearest(queries: Tensor, chunks: Iterable[Tensor], k: int) -> Matches:
    """For each of `queries` [Q, D] the k gallery rows with the largest dot product: of unit vectors, the cosine.

    The gallery comes as floating `chunks` [n, D], its rows numbered on from one chunk to the next. The order is that of
    the dot products of the vectors in float32, computed in float64 and rounded to float32; equal ones come in the order
    of the gallery. So neither chunks nor threads nor the kind of processor change it. At most 64 million products are
    held at a time. Raises ValueError for other shapes, two devices, numbers that are not finite, vectors longer than
    1e18, and a k below 1 or above the number of gallery rows.

    How, in our own words: a product of bfloat16 copies differs from the true one by no more than a bound that follows
    from the lengths of what rounding took away (Cauchy and Schwarz). Only rows that can be among the k nearest within
    that bound are multiplied again.
    """
    _check_vectors("queries", queries)
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1 neighbour.")
    best = torch.full((len(queries), k), EMPTY, device=queries.device)
    count = 0
    with full_precision(queries):
        ours = _Vectors.of("queries", queries)
        space = ours.coarse.new_empty(0 if queries.is_cuda else PRODUCTS)
        for chunk in chunks:
            _check_chunk(chunk, queries)
            for part in torch.split(chunk, ROWS):
                _improve(best, ours, _Vectors.of("a chunk of the gallery", part), count, space)
                count += len(part)
    if k > count:
        raise ValueError(f"k is {k} and the gallery has {count} rows: ask for at most {count} neighbours.")
    return Matches(*decode(best))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Vectors:
    """Vectors float32 [N, D], coarse copies that multiply fast, and bounds [N] on the length of either and of their
    difference.
    """

    exact: Tensor
    coarse: Tensor
    length: Tensor
    rest: Tensor

    @classmethod
    def of(cls, name: str, vectors: Tensor) -> Self:
        exact = vectors.float()
        coarse = torch.empty_like(exact, dtype=torch.bfloat16 if _multiplies_bfloat16(exact) else torch.float32)
        lengths, rests = [], []
        for piece, copy in zip(torch.split(exact, PIECE), torch.split(coarse, PIECE), strict=True):
            lengths.append(_length(piece))
            rests.append(_length(copy.copy_(piece).bfloat16().float().sub_(piece)))
        length, rest = torch.cat(lengths), torch.cat(rests)
        if len(length) and not length.amax() <= LONGEST:
            raise ValueError(
                f"{name} holds numbers that are not finite, or a vector longer than {LONGEST}: correct it."
            )
        return cls(exact=exact, coarse=coarse, length=length + rest, rest=rest)

    def at(self, rows: slice) -> Self:
        return type(self)(
            exact=self.exact[rows], coarse=self.coarse[rows], length=self.length[rows], rest=self.rest[rows]
        )


def _improve(best: Tensor, queries: _Vectors, gallery: _Vectors, start: int, space: Tensor) -> None:
    """Takes gallery rows, numbered from `start`, among the nearest: keys `best` [Q, k]."""
    size = len(gallery.exact)
    step = min(BLOCK, PRODUCTS // (size + GROUP))
    for first in range(0, len(best) if size else 0, step):
        block = slice(first, first + step)
        best[block] = _improved(best[block], queries.at(block), gallery, start, space)


def _improved(best: Tensor, queries: _Vectors, gallery: _Vectors, start: int, space: Tensor) -> Tensor:
    k, size = best.shape[1], len(gallery.exact)
    products = _coarse_products(queries.coarse, gallery.coarse, GROUP if size >= 4 * k * GROUP else 1, space)
    maxima = products.amax(1).float()
    threshold = _thresholds(maxima, decode(best[:, -1])[0], queries, gallery, k)
    near = maxima >= threshold
    many = near.sum(1) > (limit := 4 * k + size // SHARE)
    rows, columns = _members(products, near & ~many[:, None], threshold)
    many |= rows.bincount(minlength=len(best)) > limit
    few = ~many[rows]
    table = _table(rows[few], columns[few], len(best))
    keys = torch.cat([_table_keys(queries.exact, gallery.exact, table, start), best], 1).topk(k).values
    rows = many.nonzero().flatten()
    keys[rows] = _compared_with_all(keys[rows], queries.exact[rows], gallery.exact, start)
    return keys


def _coarse_products(queries: Tensor, gallery: Tensor, group: int, space: Tensor) -> Tensor:
    """Products [b, group, m] of [b, D] and [n, D], m = n / group rounded up: -inf where there is no gallery row."""
    missing = -len(gallery) % group
    padded = pad(gallery, (0, 0, 0, missing)) if missing else gallery
    if queries.is_cuda:
        products = torch.mm(queries, padded.T, out_dtype=torch.float32)
    else:  # fresh memory would cost as much as the products
        out = space[: len(queries) * len(padded)].view(len(queries), len(padded))
        products = torch.mm(queries, padded.T, out=out)
    products[:, len(gallery) :] = -torch.inf
    return products.view(len(queries), group, -1)


def _thresholds(maxima: Tensor, worst: Tensor, queries: _Vectors, gallery: _Vectors, k: int) -> Tensor:
    """What coarse products must reach, [b, 1]: whatever is below, has a true product below k others.

    `maxima` [b, m] are coarse products with different rows, `worst` [b] the k-th largest true product so far.
    """
    width = queries.exact.shape[1]
    sums = (width + 8) * 2.0**-22 * queries.length * gallery.length.amax()
    slack = (queries.rest * gallery.length.amax() + queries.length * gallery.rest.amax() + sums) * 1.01
    if maxima.shape[1] >= k:
        kth = maxima.topk(k, sorted=False).values.amin(1)
        worst = worst.maximum(kth - _HALF_ULP * kth.abs() - slack)
    bound = worst - slack
    return (bound / (1 + _HALF_ULP * bound.sign()))[:, None]


def _members(products: Tensor, near: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Rows, sorted, and columns of the products [b, group, m] that reach the threshold, in groups bool [b, m]."""
    rows, groups = near.nonzero().unbind(1)
    _, group, m = products.shape
    members = groups[:, None] + m * torch.arange(group, device=groups.device)
    values = products.view(-1)[rows[:, None] * (group * m) + members]
    reached = values.float() >= threshold[rows]
    return rows[:, None].expand_as(members)[reached], members[reached]


def _table(rows: Tensor, columns: Tensor, count: int) -> Tensor:
    """The columns of each of `count` rows, [count, c], -1 where a row has fewer than the fullest; `rows` are sorted."""
    counts = rows.bincount(minlength=count)
    places = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    table = torch.full((count, int(counts.amax())), -1, device=rows.device)
    table[rows, places] = columns
    return table


def _table_keys(queries: Tensor, gallery: Tensor, table: Tensor, start: int) -> Tensor:
    """Keys of the true products of queries [b, D] with the gallery rows in the table [b, c]."""
    keys = torch.full_like(table, EMPTY)
    filled = (table >= 0).any(1).nonzero().flatten()
    for rows in torch.split(filled, max(1, PAIRS // table.shape[1])) if len(filled) else ():
        columns = table[rows]
        vectors = gallery.index_select(0, columns.clamp_min(0).flatten()).double()
        products = torch.bmm(vectors.view(*columns.shape, -1), queries[rows].double()[:, :, None]).squeeze(2).float()
        keys[rows] = encode(products, columns + start).masked_fill(columns < 0, EMPTY)
    return keys


def _compared_with_all(best: Tensor, queries: Tensor, gallery: Tensor, start: int) -> Tensor:
    """Keys [b, k] of the nearest among those of `best` and all gallery rows."""
    for piece in torch.split(gallery, PIECE) if len(best) else ():
        indices = torch.arange(start, start + len(piece), device=piece.device)
        keys = encode((queries.double() @ piece.double().T).float(), indices)
        best = torch.cat([keys, best], 1).topk(best.shape[1]).values
        start += len(piece)
    return best


def _length(vectors: Tensor) -> Tensor:
    """At least the lengths [N] of vectors [N, D]: the sum is for entries whose squares float32 takes for 0."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1)
    return lengths * 1.001 + 1e-17


def _multiplies_bfloat16(vectors: Tensor) -> bool:
    """Whether the device of the vectors has instructions for bfloat16: without them it is slower than float32."""
    if vectors.device.type != "cpu":
        return vectors.is_cuda
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch cannot tell
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def _check_vectors(name: str, vectors: Tensor) -> None:
    if vectors.ndim != 2 or not vectors.is_floating_point():
        raise ValueError(f"{name} is {vectors.dtype} {tuple(vectors.shape)}: give floating vectors [N, D].")


def _check_chunk(chunk: Tensor, queries: Tensor) -> None:
    _check_vectors("a chunk of the gallery", chunk)
    if chunk.shape[1] != queries.shape[1] or chunk.device != queries.device:
        raise ValueError(
            f"queries are {tuple(queries.shape)} on {queries.device} and a chunk of the gallery is "
            f"{tuple(chunk.shape)} on {chunk.device}: give both one width and one device."
        )
