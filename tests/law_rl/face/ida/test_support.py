"""Support sets: equal to their definition in float64, within their bounds, and free of a face's own identity."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import law_rl.face.ida.support as module
from law_rl.counters import torch_generator
from law_rl.face.ida.support import Rule, SupportConfig, check_disjoint_candidates, support_statistics

RULES: tuple[Rule, ...] = ("top_k", "quantile", "near", "all")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "support test"))


def members_of(cosines: np.ndarray, config: SupportConfig) -> np.ndarray:  # type: ignore[type-arg]
    """The definition, for one face: its cosines with the candidates of others, and those in the set, largest first."""
    ordered = np.sort(cosines)[::-1]
    if config.rule == "all":
        return ordered
    if config.rule == "top_k":
        return ordered[: config.count]
    if config.rule == "quantile":
        threshold = np.quantile(cosines, config.quantile, method="higher")
    else:
        threshold = ordered[0] - config.delta
    size = min(max(int((cosines >= threshold).sum()), config.least), config.most)
    return ordered[:size]


def by_definition(
    faces: Tensor, candidates: Tensor, config: SupportConfig, own: Tensor
) -> tuple[list[float], list[float], list[float], list[int]]:
    """mean, std, evidence and count of each face with loops in float64; `own` bool [N, M] may not be taken."""
    units = [part.double() / part.double().norm(dim=1, keepdim=True).clamp_min(1e-30) for part in (faces, candidates)]
    table = (units[0] @ units[1].T).numpy()
    found: tuple[list[float], list[float], list[float], list[int]] = ([], [], [], [])
    for row, cosines in enumerate(table):
        chosen = members_of(cosines[~own[row].numpy()], config)
        evidence = math.log(math.fsum(math.exp(config.gamma * cosine) for cosine in chosen))
        for values, value in zip(found, (chosen.mean(), chosen.std(), evidence, len(chosen)), strict=True):
            values.append(value)
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("entries", [1, 120, 10**6])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    sizes=st.tuples(st.integers(1, 9), st.integers(30, 60), st.integers(2, 12)),
    count=st.integers(1, 12),
    quantile=st.floats(0, 1),
    delta=st.floats(0, 0.8),
    bounds=st.tuples(st.integers(1, 8), st.integers(0, 30)),
    gamma=st.floats(0.5, 60),
)
def test_the_statistics_are_those_of_the_definition_however_the_work_is_parted(
    monkeypatch: pytest.MonkeyPatch,
    rule: Rule,
    entries: int,
    seed: int,
    sizes: tuple[int, int, int],
    count: int,
    quantile: float,
    delta: float,
    bounds: tuple[int, int],
    gamma: float,
) -> None:
    monkeypatch.setattr(module, "ENTRIES", entries)
    faces, candidates = drawn(sizes[0], sizes[2], seed=seed), drawn(sizes[1], sizes[2], seed=seed + 1)
    labels = torch.randint(6, (sum(sizes[:2]),), generator=torch_generator(seed, "labels"))
    mine, theirs = labels[: sizes[0]], labels[sizes[0] :]
    theirs[:20] = 6 + torch.arange(20)  # candidates enough for anybody
    config = SupportConfig(
        rule=rule, count=count, quantile=quantile, delta=delta, least=bounds[0], most=sum(bounds), gamma=gamma
    )
    found = support_statistics(faces, candidates, config, identities=mine, candidate_identities=theirs)
    mean, std, evidence, size = by_definition(faces, candidates, config, mine[:, None] == theirs)
    assert found.mean.dtype == found.std.dtype == found.evidence.dtype == torch.float32
    off = (found.count - torch.tensor(size)).abs()
    assert (off <= (1 if rule == "near" else 0)).all()  # a cosine on the edge of float32
    exact = off == 0
    torch.testing.assert_close(found.mean[exact].double(), torch.tensor(mean)[exact], rtol=0, atol=1e-6)
    torch.testing.assert_close(found.std[exact].double(), torch.tensor(std)[exact], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        found.evidence[exact].double(), torch.tensor(evidence).double()[exact], rtol=1e-6, atol=1e-4
    )


@settings(max_examples=60, deadline=None)
@given(
    rule=st.sampled_from(["quantile", "near"]),
    seed=st.integers(0, 10**6),
    candidates=st.integers(12, 80),
    least=st.integers(1, 12),
    more=st.integers(0, 80),
    quantile=st.floats(0, 1),
    delta=st.floats(0, 2),
    levels=st.sampled_from([1.0, 1000.0]),
)
def test_adaptive_sets_keep_their_bounds(
    rule: Rule,
    seed: int,
    candidates: int,
    least: int,
    more: int,
    quantile: float,
    delta: float,
    levels: float,
) -> None:
    config = SupportConfig(rule=rule, least=least, most=least + more, quantile=quantile, delta=delta)
    others = (drawn(candidates, 3, seed=seed) * levels).round() / levels  # 1 level: many cosines are equal
    found = support_statistics(drawn(7, 3, seed=seed + 1), others, config)
    assert (found.count >= least).all() and (found.count <= min(config.most, candidates)).all()


def test_an_adaptive_set_grows_where_the_neighbourhood_is_crowded() -> None:
    crowd = torch.tensor([[1.0, 0.0]]) + 0.01 * drawn(50, 2)
    loner = torch.tensor([[0.0, 1.0]]) + 0.01 * drawn(1, 2, seed=1)
    faces = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = support_statistics(faces, torch.cat([crowd, loner]), SupportConfig(rule="near", least=1))
    assert found.count.tolist() == [50, 1]


@pytest.mark.parametrize("rule", RULES)
def test_no_candidate_of_the_own_identity_is_in_the_set(rule: Rule) -> None:
    """Each face lies among its identity's candidates: were one of them taken, the mean would be near 1."""
    axes, own = torch.eye(4), torch.arange(4)
    config = SupportConfig(rule=rule, count=5, least=5, most=8, quantile=0.9)
    candidates, theirs = axes.repeat_interleave(6, 0), own.repeat_interleave(6)
    found = support_statistics(axes, candidates, config, identities=own, candidate_identities=theirs)
    assert (found.mean.abs() < 1e-6).all() and (found.count <= 18).all()
    assert (support_statistics(axes, candidates, config).mean > 0.2).all()


def test_shared_identities_are_found_and_named() -> None:
    check_disjoint_candidates(torch.tensor([1, 2]), torch.tensor([3, 4]))
    with pytest.raises(ValueError, match=r"identity 5 is among the candidates .*: take candidates of other persons"):
        check_disjoint_candidates(torch.tensor([1, 5, 3]), torch.tensor([3, 5]))


@pytest.mark.parametrize("rule", RULES)
def test_vectors_without_a_direction_have_cosine_0_with_all(rule: Rule) -> None:
    config = SupportConfig(rule=rule, count=5)
    found = support_statistics(torch.zeros(2, 4), drawn(30, 4), config)
    assert not found.mean.any() and not found.std.any()
    torch.testing.assert_close(found.evidence, found.count.float().log())
    with_zeros = support_statistics(drawn(3, 4), torch.zeros(30, 4), config)
    assert not with_zeros.mean.any() and not with_zeros.std.any()


def test_lengths_and_precisions_do_not_count() -> None:
    faces, candidates, config = drawn(6, 8), drawn(40, 8, seed=1), SupportConfig()
    expected = support_statistics(faces, candidates, config)
    lengths = torch.tensor([1e-9, 1.0, 1e30, 0.5, 7.0, 3e10])[:, None]
    torch.testing.assert_close(support_statistics(faces * lengths, candidates * 5, config).mean, expected.mean)
    with torch.autocast("cpu", torch.bfloat16):
        same = support_statistics(faces, candidates, config)
    assert torch.equal(same.mean, expected.mean)
    halves = support_statistics(faces.half(), candidates.double(), config)
    torch.testing.assert_close(halves.mean, expected.mean, rtol=0, atol=1e-3)
    assert halves.mean.dtype == torch.float32


def test_what_does_not_fit_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 1)
    faces, others, config = drawn(3, 4), drawn(30, 4), SupportConfig()
    with pytest.raises(ValueError, match="embeddings have 4 dimensions and candidates 5"):
        support_statistics(faces, drawn(30, 5), config)
    with pytest.raises(ValueError, match="identities are given on one side alone"):
        support_statistics(faces, others, config, identities=torch.arange(3))
    with pytest.raises(ValueError, match=r"identities are torch.int64 \(2,\)"):
        support_statistics(faces, others, config, identities=torch.arange(2), candidate_identities=torch.arange(30))
    with pytest.raises(ValueError, match="candidates hold NaN or infinite numbers, first in row 2"):
        support_statistics(faces, others.index_fill(0, torch.tensor([2]), math.nan), config)
    labels = torch.tensor([0] * 15 + [1] * 15)
    with pytest.raises(ValueError, match="face 1 has 15 candidates of other identities and its support set needs 20"):
        support_statistics(faces, others, config, identities=torch.tensor([7, 1, 0]), candidate_identities=labels)
    alone = SupportConfig(rule="all")
    with pytest.raises(ValueError, match="face 0 has 0 candidates of other identities and its support set needs 1"):
        support_statistics(faces, others, alone, identities=labels[:3], candidate_identities=labels * 0)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rule", "nearest", "rule is 'nearest': use one of top_k, quantile, near, all"),
        ("count", 0, "count is 0: take at least 1 candidate"),
        ("quantile", 1.1, "quantile is 1.1: give a share"),
        ("quantile", math.nan, "quantile is nan"),
        ("delta", -0.1, "delta is -0.1: give a difference"),
        ("least", 0, "least is 0 and most is 200: give 1 <= least <= most"),
        ("most", 4, "least is 5 and most is 4"),
        ("gamma", 0.0, "gamma is 0.0: give a number above 0"),
        ("gamma", math.inf, "gamma is inf"),
    ],
)
def test_settings_are_checked(field: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SupportConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("rule", RULES)
def test_a_gpu_gives_the_same(rule: Rule) -> None:
    faces, candidates, config = drawn(60, 32), drawn(500, 32, seed=1), SupportConfig(rule=rule)
    expected = support_statistics(faces, candidates, config)
    found = support_statistics(faces.cuda(), candidates.cuda(), config)
    assert found.mean.is_cuda
    torch.testing.assert_close(found.mean.cpu(), expected.mean, rtol=0, atol=2e-3)
    torch.testing.assert_close(found.evidence.cpu(), expected.evidence, rtol=0, atol=5e-2)
