"""Nearest neighbours: equal to brute force in float64, whatever is asked, and however coarse the first products are."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import law_rl.face.nearest as module
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.nearest import nearest

SMALL = {"ROWS": 50, "BLOCK": 3, "PRODUCTS": 300, "GROUP": 4, "PIECE": 7, "PAIRS": 5, "SHARE": 10}


@pytest.fixture(params=["bfloat16", "float32"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Limits so small that every loop turns, with either kind of coarse products."""
    for name, value in SMALL.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "_multiplies_bfloat16", lambda _: request.param == "bfloat16")
    return str(request.param)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "nearest test"))


def brute_force(queries: Tensor, gallery: Tensor, k: int) -> tuple[Tensor, Tensor]:
    similarities = (queries.double() @ gallery.double().T).float()
    order = similarities.sort(dim=1, descending=True, stable=True)
    return order.values[:, :k], order.indices[:, :k]


def check(queries: Tensor, gallery: Tensor, k: int, chunk: int) -> None:
    found = nearest(queries, torch.split(gallery, chunk), k)
    similarities, indices = brute_force(queries, gallery, k)
    assert torch.equal(found.similarities, similarities)
    assert torch.equal(found.indices, indices)


@given(
    sizes=st.tuples(st.integers(1, 8), st.integers(1, 150), st.integers(1, 20)),
    seed=st.integers(0, 10**6),
    wanted=st.floats(0, 1),
    chunk=st.integers(1, 200),
    levels=st.sampled_from([1, 3, 1000]),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sizes_and_chunks_with_and_without_ties(
    small: str, sizes: tuple[int, int, int], seed: int, wanted: float, chunk: int, levels: int
) -> None:
    count, rows, width = sizes
    vectors = (drawn(count + rows, width, seed=seed) * levels / 2).round() / levels  # 1 level: entries are -1, 0, 1
    check(vectors[:count], vectors[count:], 1 + int(wanted * (rows - 1)), chunk)


@pytest.mark.parametrize("k", [1, 5, 60])
def test_equal_rows_come_in_the_order_of_the_gallery(small: str, k: int) -> None:
    row = unit(drawn(1, 16))
    check(row.repeat(4, 1), row.repeat(60, 1), k, 25)
    assert nearest(row, [row.repeat(60, 1)], k).indices.tolist() == [list(range(k))]


def test_zero_and_opposite_vectors(small: str) -> None:
    vectors = unit(drawn(10, 8))
    gallery = torch.cat([torch.zeros(3, 8), -vectors, torch.zeros(40, 8), vectors])
    check(torch.cat([vectors, torch.zeros(1, 8)]), gallery, 50, 20)


def near_ties(rows: int = 400, width: int = 64) -> tuple[Tensor, Tensor]:
    """Queries, and gallery rows whose cosines with the first differ by less than bfloat16 can tell."""
    query = unit(drawn(1, width))
    return torch.cat([query, unit(drawn(5, width, seed=1))]), unit(query + 1e-3 * drawn(rows, width, seed=2))


@pytest.mark.parametrize("k", [1, 7])
def test_near_ties_that_bfloat16_cannot_tell(small: str, k: int) -> None:
    queries, gallery = near_ties()
    assert (queries.bfloat16() @ gallery.bfloat16().T)[0].unique().numel() < 5
    check(queries, gallery, k, 400)


STEP = 2.0**-7  # of bfloat16 from 1 to 2
DOWN = torch.full((64,), 1 + 0.49 * STEP)
UP = torch.where(torch.arange(64) < 48, 1 + 0.51 * STEP, 1.0)  # a smaller sum, but most of it rounds up
ONES, ZEROS, MINUS = torch.ones(64), torch.zeros(64), torch.tensor([-64.0])  # MINUS: so that sums need no rounding


def overtaken(rounded: str) -> tuple[Tensor, Tensor]:
    """A query and two gallery rows, the second of which is nearer until what is named is rounded to bfloat16."""
    if rounded == "gallery":
        return torch.ones(1, 65), torch.stack([torch.cat([UP, MINUS]), torch.cat([DOWN, MINUS])])
    if rounded == "query":
        rows = [torch.cat([ONES, ZEROS, MINUS]), torch.cat([ZEROS, ONES, MINUS])]
        return torch.cat([UP, DOWN, torch.ones(1)])[None], torch.stack(rows)
    # the sums, about 64.8 and 64.2 once the gallery is rounded, are rounded to 65 and 64
    up, down = torch.full((80,), 1 + 0.501 * STEP), torch.full((80,), 1 + 0.499 * STEP)
    rows = [torch.cat([up, torch.tensor([-16.0, 0.19])]), torch.cat([down, torch.tensor([-16.0, 0.2])])]
    return torch.ones(1, 82), torch.stack(rows)


@pytest.mark.parametrize("rounded", ["gallery", "query", "sums"])
def test_a_row_that_rounding_puts_behind_another_is_found_thanks_to_the_bound(
    monkeypatch: pytest.MonkeyPatch, rounded: str
) -> None:
    monkeypatch.setattr(module, "_multiplies_bfloat16", lambda _: True)
    query, gallery = overtaken(rounded)
    coarse = query.bfloat16() @ gallery.bfloat16().T
    assert coarse.argmax() == 0 and (query.double() @ gallery.double().T).argmax() == 1
    check(query, gallery, 1, 2)
    monkeypatch.setattr(module, "_thresholds", lambda maxima, *_: maxima.amax(1, keepdim=True))
    assert nearest(query, [gallery], 1).indices.item() == 0


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-3, 1e3, 1e15])
def test_vectors_of_any_length(small: str, scale: float) -> None:
    check(drawn(5, 12) * scale, drawn(90, 12, seed=1), 4, 33)
    check(drawn(5, 12), drawn(90, 12, seed=1) * scale, 4, 33)


def test_rising_similarities_improve_with_every_chunk(small: str) -> None:
    query = unit(drawn(1, 8))
    check(query, torch.linspace(-1, 1, 90)[:, None] * query, 3, 7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_are_taken_in_float32(dtype: torch.dtype) -> None:
    queries, gallery = drawn(4, 8).to(dtype), drawn(70, 8, seed=1).to(dtype)
    found = nearest(queries, [gallery], 3)
    assert torch.equal(found.indices, brute_force(queries.float(), gallery.float(), 3)[1])


def test_limits_as_they_are_on_clustered_rows_of_a_real_width() -> None:
    centres = drawn(40, 128)
    gallery = unit(centres[torch.arange(20_000) % 40] + 0.7 * drawn(20_000, 128, seed=1))
    check(gallery[:70], gallery, 20, 20_000)
    check(gallery[:70], gallery, 1, 3_000)


def test_the_number_of_threads_changes_nothing() -> None:
    queries, gallery = near_ties(rows=3000)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(nearest(queries, torch.split(gallery, 1000), 10))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert torch.equal(found[0].indices, other.indices) and torch.equal(found[0].similarities, other.similarities)


def test_autocast_and_gradients_change_nothing() -> None:
    queries, gallery = drawn(4, 16).requires_grad_(), drawn(50, 16, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check(queries, gallery, 5, 50)
    assert not nearest(queries, [gallery], 1).similarities.requires_grad


def test_chunks_may_be_made_on_the_way_and_be_empty() -> None:
    gallery = drawn(30, 4, seed=1)

    def chunks() -> Iterator[Tensor]:
        yield gallery[:0]
        yield gallery[:20]
        yield gallery[20:]

    assert torch.equal(nearest(drawn(3, 4), chunks(), 2).indices, nearest(drawn(3, 4), [gallery], 2).indices)
    none = nearest(drawn(0, 4), chunks(), 2)
    assert none.similarities.shape == none.indices.shape == (0, 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
def test_numbers_without_a_product_are_refused(bad: float) -> None:
    good, wrong = drawn(3, 4), drawn(3, 4)
    wrong[1, 2] = bad
    with pytest.raises(ValueError, match="queries holds numbers that are not finite, or a vector longer"):
        nearest(wrong, [good], 1)
    with pytest.raises(ValueError, match="a chunk of the gallery holds numbers that are not finite"):
        nearest(good, [good, wrong], 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="k is 4 and the gallery has 3 rows"):
        nearest(drawn(2, 4), [drawn(2, 4), drawn(1, 4)], 4)
    with pytest.raises(ValueError, match="k is 0"):
        nearest(drawn(2, 4), [drawn(2, 4)], 0)
    with pytest.raises(ValueError, match=r"queries are \(2, 4\) on cpu and a chunk of the gallery is \(2, 5\)"):
        nearest(drawn(2, 4), [drawn(2, 5)], 1)
    with pytest.raises(ValueError, match="give floating vectors"):
        nearest(drawn(2, 4), drawn(3, 4), 1)  # a tensor gives its rows, not chunks
    with pytest.raises(ValueError, match="queries is torch"):
        nearest(torch.ones(2, 4, dtype=torch.int64), [drawn(2, 4)], 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_on_a_gpu() -> None:
    gallery = unit(drawn(40, 128)[torch.arange(20_000) % 40] + 0.7 * drawn(20_000, 128, seed=1))
    here, there = (nearest(x[:500], torch.split(x, 9000), 20) for x in (gallery, gallery.cuda()))
    assert torch.equal(here.indices, there.indices.cpu())
    assert torch.equal(here.similarities, there.similarities.cpu())
