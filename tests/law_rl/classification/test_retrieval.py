import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.classification import retrieval
from law_rl.classification.retrieval import RetrievalScores, retrieval_scores
from law_rl.distillation.vectors import unit

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
    ),
]
AXES = torch.eye(4)


def scores_by_definition(
    query: torch.Tensor,
    gallery: torch.Tensor,
    query_identities: list[int],
    gallery_identities: list[int],
    query_cameras: list[int],
    gallery_cameras: list[int],
) -> tuple[float, float, float]:
    """One query at a time, in Python's floats."""
    first, five, precisions = [], [], []
    for vector, identity, camera in zip(query.tolist(), query_identities, query_cameras, strict=True):
        ranked = []
        for place, other in enumerate(gallery.tolist()):
            if gallery_identities[place] == identity and gallery_cameras[place] == camera:
                continue
            length = math.hypot(*vector) * math.hypot(*other)
            cosine = math.fsum(a * b for a, b in zip(vector, other, strict=True)) / length
            ranked.append((-cosine, place))
        hits = [gallery_identities[place] == identity for _, place in sorted(ranked)]
        if not any(hits):
            continue
        first.append(hits[0])
        five.append(any(hits[:5]))
        found = [sum(hits[: place + 1]) / (place + 1) for place in range(len(hits)) if hits[place]]
        precisions.append(sum(found) / len(found))
    return tuple(100 * sum(values) / len(values) for values in (first, five, precisions))  # type: ignore[return-value]


def draw(seed: int, queries: int, gallery: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def integers(size: int, high: int) -> torch.Tensor:
        return torch.randint(high, (size,), generator=generator)

    return {
        "query": torch.randn(queries, 6, generator=generator, dtype=torch.float64),
        "gallery": torch.randn(gallery, 6, generator=generator, dtype=torch.float64),
        "query_identities": integers(queries, 5),
        "gallery_identities": integers(gallery, 6),
        "query_cameras": integers(queries, 3),
        "gallery_cameras": integers(gallery, 3),
    }


def numbers(scores: RetrievalScores) -> tuple[float, float, float]:
    return scores.rank_1, scores.rank_5, scores.mean_average_precision


def score(drawn: dict[str, torch.Tensor]) -> RetrievalScores:
    query, gallery, *_ = drawn.values()
    return retrieval_scores(query, gallery, **{name: drawn[name] for name in list(drawn)[2:]})


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(12))
def test_the_plain_definition(seed: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw(seed, queries=11, gallery=23)
    expected = scores_by_definition(drawn["query"], drawn["gallery"], *(v.tolist() for v in list(drawn.values())[2:]))
    moved = {name: value.to(device) for name, value in drawn.items()}
    assert numbers(score(moved)) == pytest.approx(expected, rel=1e-12)
    for entries in (1, 2 * 23, 5 * 23 + 1):
        monkeypatch.setattr(retrieval, "ENTRIES", entries)
        assert numbers(score(moved)) == pytest.approx(expected, rel=1e-12)


def test_without_cameras_every_image_of_the_identity_is_a_match() -> None:
    drawn = draw(3, queries=9, gallery=30)
    query, gallery, query_identities, gallery_identities, *_ = drawn.values()
    found = retrieval_scores(query, gallery, query_identities=query_identities, gallery_identities=gallery_identities)
    expected = scores_by_definition(
        query, gallery, query_identities.tolist(), gallery_identities.tolist(), [0] * 9, [1] * 30
    )
    assert numbers(found) == pytest.approx(expected, rel=1e-12)
    assert numbers(found) != pytest.approx(numbers(score(drawn)))


def test_a_ranking_by_hand() -> None:
    gallery = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.5, 0.5], [0.4, 0.6], [0.3, 0.7]])
    found = retrieval_scores(
        torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        gallery,
        query_identities=torch.tensor([7, 8]),
        gallery_identities=torch.tensor([0, 7, 0, 7, 0, 8, 0]),
    )
    # 7 at places 2 and 4: (1/2 + 2/4) / 2; 8 at place 6
    assert numbers(found) == pytest.approx((0.0, 50.0, 50 * (1 / 2 + 1 / 6)))


def test_images_of_the_identity_and_the_camera_of_a_query_are_left_out() -> None:
    identities, cameras = torch.tensor([1, 1, 2, 1]), torch.tensor([1, 2, 1, 1])
    gallery = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.9, 0.1], [0.8, 0.2]])
    known = {"query_identities": torch.tensor([1]), "gallery_identities": identities}
    query = torch.tensor([[1.0, 0.0]])
    assert retrieval_scores(query, gallery, **known).rank_1 == 100
    found = retrieval_scores(query, gallery, **known, query_cameras=torch.tensor([1]), gallery_cameras=cameras)
    assert numbers(found) == (0.0, 100.0, 50.0)  # the person 2, then 1 from camera 2


def test_queries_without_a_match_are_not_counted() -> None:
    found = retrieval_scores(
        AXES[[0, 0, 1]],
        AXES[[0, 1]],
        query_identities=torch.tensor([5, 9, 6]),
        gallery_identities=torch.tensor([5, 6]),
    )
    assert found == RetrievalScores(rank_1=100.0, rank_5=100.0, mean_average_precision=100.0, queries=2)
    with pytest.raises(ValueError, match="No query has a match"):
        retrieval_scores(
            AXES[:1],
            AXES[:1],
            query_identities=torch.tensor([5]),
            gallery_identities=torch.tensor([5]),
            query_cameras=torch.tensor([1]),
            gallery_cameras=torch.tensor([1]),
        )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("place", "rank_5"), [(0, 100), (1, 100), (4, 100), (5, 0), (39, 0)])
def test_equal_similarities_keep_the_order_of_the_gallery(place: int, rank_5: int, device: str) -> None:
    identities = torch.zeros(40, dtype=torch.int64, device=device)
    identities[place] = 1
    found = retrieval_scores(
        AXES[:1].to(device),
        AXES[:1].expand(40, 4).to(device),
        query_identities=torch.ones(1, dtype=torch.int64, device=device),
        gallery_identities=identities,
    )
    assert numbers(found) == pytest.approx((100.0 * (place == 0), rank_5, 100 / (place + 1)))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(6, 40))
def test_the_order_of_gallery_and_queries_does_not_matter(seed: int, queries: int, gallery: int) -> None:
    drawn = draw(seed, queries, gallery)
    drawn["query_cameras"] += 10  # a match is certain, and not left out
    drawn["gallery_identities"][0] = drawn["query_identities"][0]
    orders = {
        part: torch.randperm(len(drawn[part]), generator=torch.Generator().manual_seed(seed))
        for part in ("query", "gallery")
    }
    shuffled = {name: value[orders[name.split("_")[0]]] for name, value in drawn.items()}
    assert numbers(score(shuffled)) == pytest.approx(numbers(score(drawn)), rel=1e-12)
    assert score(shuffled).queries == score(drawn).queries


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 6), min_size=1, max_size=20), st.integers(0, 20))
def test_perfect_embeddings_score_100(seed: int, identities: list[int], distractors: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.eye(8)
    targets = torch.tensor(identities)
    gallery_targets = torch.cat([targets, torch.full((distractors,), 7)])
    noise = 0.1 * torch.rand(len(gallery_targets), 8, generator=generator)
    found = retrieval_scores(
        3 * centres[targets],
        centres[gallery_targets] + noise,
        query_identities=targets,
        gallery_identities=gallery_targets,
    )
    assert numbers(found) == pytest.approx((100.0, 100.0, 100.0)) and found.queries == len(identities)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_scores_are_ordered_and_bounded(seed: int) -> None:
    found = score(draw(seed, queries=20, gallery=40))
    assert 0 <= found.rank_1 <= found.rank_5 <= 100 and 0 < found.mean_average_precision <= 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_narrow_embeddings_are_compared_in_float32(dtype: torch.dtype) -> None:
    drawn = draw(5, queries=10, gallery=2000)
    narrow = {name: value.to(dtype) if value.is_floating_point() else value for name, value in drawn.items()}
    exact = {name: value.double() if value.is_floating_point() else value for name, value in narrow.items()}
    assert numbers(score(narrow)) == pytest.approx(numbers(score(exact)), abs=1e-3)


def test_length_does_not_matter() -> None:
    drawn = draw(8, queries=10, gallery=30)
    normalised = {**drawn, "query": unit(drawn["query"]), "gallery": unit(drawn["gallery"])}
    scaled = {**drawn, "gallery": drawn["gallery"] * torch.arange(1.0, 31.0)[:, None]}
    assert score(normalised) == score(drawn) == score(scaled)


def test_collapsed_embeddings_are_ranked_by_gallery_order() -> None:
    drawn = {**draw(1, queries=8, gallery=20), "query": torch.zeros(8, 6).double()}
    ahead = {**drawn, "query": torch.ones(8, 6).double(), "gallery": torch.ones(20, 6).double()}
    assert score(drawn) == score(ahead)


@pytest.mark.parametrize("part", ["query", "gallery"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_network_gets_no_score(part: str, value: float) -> None:
    drawn = draw(1, queries=8, gallery=20)
    drawn[part][3, 2] = value
    assert all(math.isnan(number) for number in numbers(score(drawn)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": torch.zeros(3)}, r"embeddings \[Q, D\]"),
        ({"query": torch.zeros(11, 5).double()}, r"embeddings \[Q, D\]"),
        ({"query": torch.zeros(11, 6)}, "one floating dtype"),
        ({"gallery": torch.zeros(0, 6).double()}, "neither of them empty"),
        ({"query_identities": torch.zeros(10).long()}, r"query_identities must be int64 \[11\]"),
        ({"gallery_identities": torch.zeros(23)}, r"gallery_identities must be int64 \[23\]"),
        ({"gallery_cameras": torch.zeros(22).long()}, r"gallery_cameras must be int64 \[23\]"),
        ({"gallery_cameras": None}, "give both or neither"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score({**draw(0, queries=11, gallery=23), **changes})
