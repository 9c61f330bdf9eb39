"""The aligner: scikit-learn's manners, its ways to align agree, and it gains where some faces are near to everybody."""

import math
import stat
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.evaluation.pairs import listed_scores, pair_scores
from law_rl.face.evaluation.rates import tar_at_far
from law_rl.face.ida.aligner import METHODS, EstimatorName, ScoreAligner
from law_rl.face.ida.support import SupportConfig

FEW = SupportConfig(count=10)
SYMMETRIC = ["shift", "z_score", "margin", "log_ratio", "s_norm", "as_norm", "csls"]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "aligner test"))


def persons(count: int, each: int, *, start: int = 0, seed: int = 0, bias: float = 1.5) -> tuple[Tensor, Tensor]:
    """Images of persons who are, by chance and for each image, more or less drawn to one direction: hubs."""
    identities = torch.arange(start, start + count).repeat_interleave(each)
    centres = drawn(count, 24, seed=seed).repeat_interleave(each, 0)
    pull = bias * torch.rand(len(identities), 1, generator=torch_generator(seed, "pull"))
    return centres + 0.7 * drawn(len(identities), 24, seed=seed + 1) + 5 * pull * unit(torch.ones(24)), identities


def fitted(method: str = "shift", estimator: EstimatorName = "gallery") -> ScoreAligner:
    return ScoreAligner(method=method, estimator=estimator, support=FEW).fit(*persons(60, 2, start=1000, seed=7))


def every_pair(count: int) -> Tensor:
    return torch.combinations(torch.arange(count))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("estimator", ["gallery", "learned"])
def test_pairs_tables_and_scores_are_aligned_alike(method: str, estimator: EstimatorName) -> None:
    aligner, faces = fitted(method, estimator), persons(5, 2)[0]
    pairs = every_pair(10)
    aligned = aligner.align_pairs(faces, pairs)
    assert aligned.dtype == torch.float32
    scores = torch.from_numpy(listed_scores(faces, pairs))
    torch.testing.assert_close(aligner.align(scores, faces[pairs[:, 0]], faces[pairs[:, 1]]), aligned)
    torch.testing.assert_close(aligner.align_pairs(faces, pairs[[41, 20]]), aligned[[41, 20]])  # not of all faces
    known = aligner.statistics(faces)
    torch.testing.assert_close(aligner.align(scores, known.at(pairs[:, 0]), known.at(pairs[:, 1])), aligned)
    for gallery in (faces, aligner.enrol(faces)):
        table = aligner.transform(faces, gallery)
        torch.testing.assert_close(table[pairs[:, 0], pairs[:, 1]], aligned, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(aligned, scores, atol=1e-2)


@pytest.mark.parametrize("method", SYMMETRIC)
def test_the_order_of_a_pair_changes_no_bit(method: str) -> None:
    aligner, faces, pairs = fitted(method), persons(20, 2)[0], every_pair(40)
    assert torch.equal(aligner.align_pairs(faces, pairs), aligner.align_pairs(faces, pairs.flip(1)))


@pytest.mark.parametrize("method", METHODS)
def test_faces_that_are_near_to_everybody_cost_less(method: str) -> None:
    """What the alignment is for: impostors among hubs no longer beat genuine pairs."""
    faces, identities = persons(40, 4, seed=3)
    aligner = ScoreAligner(method=method, support=None if method != "as_norm" else FEW)
    aligner.fit(*persons(150, 2, start=1000, seed=7))
    pairs = every_pair(len(faces))
    same = (identities[pairs[:, 0]] == identities[pairs[:, 1]]).numpy()
    aligned = aligner.align_pairs(faces, pairs).numpy()
    plain = pair_scores(faces, identities)
    before, after = tar_at_far(plain.genuine, plain.impostor, 0.01), tar_at_far(aligned[same], aligned[~same], 0.01)
    assert after > before + 0.02


def test_no_pairs_have_no_scores() -> None:
    assert fitted().align_pairs(persons(5, 2)[0], torch.zeros(0, 2, dtype=torch.int64)).shape == (0,)


def test_without_beta_a_shift_leaves_the_cosine() -> None:
    faces, pairs = persons(5, 2)[0], every_pair(10)
    aligned = ScoreAligner(beta=0.0, support=FEW).fit(persons(60, 2)[0]).align_pairs(faces, pairs)
    assert torch.equal(aligned, torch.from_numpy(listed_scores(faces, pairs)))


def test_gamma_is_that_of_the_support_set() -> None:
    soft, sharp = (SupportConfig(count=10, gamma=gamma) for gamma in (1.0, 30.0))
    faces, pairs = persons(5, 2)[0], every_pair(10)
    aligned = [ScoreAligner(method="log_ratio", support=s).fit(faces).align_pairs(faces, pairs) for s in (soft, sharp)]
    assert (aligned[1] < -5).any() and (aligned[0] > -5).all()


@settings(max_examples=30, deadline=None)
@given(
    method=st.sampled_from(list(METHODS)),
    estimator=st.sampled_from(["gallery", "learned"]),
    support=st.one_of(st.none(), st.builds(SupportConfig, count=st.integers(1, 50), gamma=st.floats(1, 50))),
    beta=st.floats(0, 2),
)
def test_parameters_go_round(method: str, estimator: EstimatorName, support: SupportConfig | None, beta: float) -> None:
    aligner = ScoreAligner(method=method, estimator=estimator, support=support, beta=beta)
    params = aligner.get_params()
    assert params == {"method": method, "estimator": estimator, "support": support, "beta": beta}
    assert ScoreAligner(**params).get_params() == ScoreAligner().set_params(**params).get_params() == params
    assert clone(aligner).get_params() == params


def test_a_fit_stays_where_the_statistics_do() -> None:
    aligner, faces, pairs = fitted(), persons(5, 2)[0], every_pair(10)
    assert aligner.set_params(beta=0.5, method="margin") is aligner
    torch.testing.assert_close(aligner.align_pairs(faces, pairs), fitted("margin").align_pairs(faces, pairs))
    with pytest.raises(ValueError, match="no references: call fit first"):
        aligner.set_params(support=SupportConfig(count=9)).align_pairs(faces, pairs)
    with pytest.raises(ValueError, match="no references"):
        ScoreAligner(method="s_norm").fit(faces).set_params(method="csls").align_pairs(faces, pairs)
    with pytest.raises(ValueError, match="no references"):
        clone(fitted()).align_pairs(faces, pairs)


@pytest.mark.parametrize("estimator", ["gallery", "learned"])
@pytest.mark.parametrize("support", [FEW, None])
def test_a_saved_aligner_aligns_alike(tmp_path: Path, estimator: EstimatorName, support: SupportConfig | None) -> None:
    path, (references, identities) = tmp_path / "aligner.safetensors", persons(60, 2, start=1000, seed=7)
    aligner = ScoreAligner(method="log_ratio", estimator=estimator, support=support, beta=0.3)
    aligner.fit(references, identities).save(path)
    loaded, faces, pairs = ScoreAligner.load(path), persons(5, 2)[0], every_pair(10)
    assert loaded.get_params() == aligner.get_params()
    torch.testing.assert_close(loaded.align_pairs(faces, pairs), aligner.align_pairs(faces, pairs))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="identity 1003 is among the candidates"):
        loaded.check_disjoint(torch.tensor([1, 1003]))


def test_an_unfitted_aligner_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no references: call fit before save"):
        ScoreAligner().save(tmp_path / "aligner.safetensors")
    assert not list(tmp_path.iterdir())


def test_shared_identities_are_refused() -> None:
    aligner = fitted()
    aligner.check_disjoint(torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="identity 1000 is among the candidates"):
        aligner.check_disjoint(torch.tensor([1, 1000]))
    with pytest.raises(ValueError, match="identities of the references are not known: give them to fit"):
        ScoreAligner().fit(drawn(40, 4)).check_disjoint(torch.tensor([1]))


def test_zero_vectors_have_finite_scores() -> None:
    faces = torch.cat([torch.zeros(2, 24), persons(4, 1)[0]])
    for method in METHODS:
        assert fitted(method).transform(faces, faces).isfinite().all(), method


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("method", "cosine", "method is 'cosine': use one of shift, one_sided"),
        ("estimator", "virtual", "estimator is 'virtual': use one of gallery, learned"),
        ("beta", -0.1, "beta is -0.1: give a number from 0 to 2"),
        ("beta", math.nan, "beta is nan"),
    ],
)
def test_parameters_are_checked(name: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ScoreAligner(**{name: value})  # type: ignore[arg-type]
    aligner = fitted()
    with pytest.raises(ValueError, match=words):
        aligner.set_params(**{name: value})
    assert aligner.get_params() == fitted().get_params()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="gamma is no parameter of the aligner: use method, estimator, support, beta"):
        ScoreAligner().set_params(gamma=3)
    with pytest.raises(ValueError, match="there are 4 candidates and a support set needs 5"):
        ScoreAligner().fit(drawn(4, 4))
    with pytest.raises(ValueError, match=r"identities are torch.int64 \(5,\)"):
        ScoreAligner().fit(drawn(40, 4), torch.arange(5))
    with pytest.raises(ValueError, match="estimator is 'learned' and identities is None"):
        ScoreAligner(estimator="learned").fit(drawn(40, 4))
    faces = persons(5, 2)[0]
    with pytest.raises(ValueError, match=r"scores have shape \(3,\) and a side \(10,\): give one of each a pair"):
        fitted().align(torch.zeros(3), faces, faces)
    with pytest.raises(ValueError, match="pairs name rows from 0 to 10 of 10 embeddings"):
        fitted().align_pairs(faces, torch.tensor([[0, 10]]))
