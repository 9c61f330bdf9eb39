"""The learned estimator: better than a constant where the statistics are smooth, and the same from its tensors."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.ida import learned
from law_rl.face.ida.learned import LearnedEstimator
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, support_statistics

NAMES = ("mean", "std", "evidence")
CONFIG = SupportConfig(count=10)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch_generator(seed, "draw"))


def crowd(persons: int, seed: int, width: int = 6) -> tuple[Tensor, Tensor]:
    """Three faces each of persons who crowd about one direction, and become rarer away from it."""
    centres = draw(persons, width, seed=seed)
    centres[:, 0] += 1.5
    identities = torch.arange(persons).repeat_interleave(3)
    return unit(centres)[identities] + 0.1 * draw(3 * persons, width, seed=seed + 1), identities


@pytest.fixture(scope="module")
def fitted() -> LearnedEstimator:
    return LearnedEstimator.fit(*crowd(300, 10), CONFIG, seed=0)


def numbers(known: NeighbourStatistics) -> dict[str, Tensor]:
    return {name: getattr(known, name) for name in NAMES}


def test_it_beats_a_constant_on_other_persons(fitted: LearnedEstimator) -> None:
    references, _ = crowd(300, 10)
    faces, _ = crowd(100, 20)
    truth = numbers(support_statistics(faces, references, CONFIG))
    guessed = numbers(fitted.statistics(faces))
    explained = {
        name: 1 - float((guessed[name] - truth[name]).square().mean() / truth[name].var(correction=0)) for name in NAMES
    }
    assert min(explained.values()) > 0.4, explained


def test_a_faces_own_identity_is_left_out() -> None:
    """Persons of 40 like images have others far away: whoever took them for neighbours would learn 0.7 to 1."""
    identities = torch.arange(8).repeat_interleave(40)
    faces = torch.eye(8)[identities] + 1e-3 * draw(320, 8)
    estimator = LearnedEstimator.fit(faces, identities, SupportConfig(count=5), seed=0, epochs=3)
    assert estimator.statistics(torch.eye(8)).mean.abs().max() < 0.5


def test_statistics_are_of_the_faces_and_depend_on_directions_alone(fitted: LearnedEstimator) -> None:
    faces, _ = crowd(20, 30)
    known = fitted.statistics(faces)
    assert all(tensor.dtype == torch.float32 and tensor.shape == (60,) for tensor in numbers(known).values())
    assert known.count.tolist() == [10] * 60
    assert (known.std > 0).all() and not known.mean.requires_grad
    torch.testing.assert_close(numbers(fitted.statistics(7 * faces)), numbers(known))
    torch.testing.assert_close(fitted.statistics(faces[5:6]).mean, known.mean[5:6])


@pytest.mark.parametrize("location", [-9.0, 9.0])
def test_what_it_gives_stays_within_what_cosines_can_be(location: float, fitted: LearnedEstimator) -> None:
    tensors = {**fitted.tensors(), "location": torch.full((3,), location)}
    known = LearnedEstimator.from_tensors(tensors, CONFIG).statistics(torch.cat([draw(50, 6), torch.zeros(1, 6)]))
    assert known.mean.abs().max() <= 1 and known.std.max() <= 1
    assert all(tensor.isfinite().all() for tensor in numbers(known).values())


def test_equal_faces_and_sets_of_one_candidate_can_be_learned() -> None:
    """A set of one has no spread that could be divided by."""
    estimator = LearnedEstimator.fit(torch.ones(6, 4), torch.arange(6), SupportConfig(count=1), seed=0, epochs=2)
    assert estimator.tensors()["scale"].amin() > 0
    known = estimator.statistics(draw(3, 4))
    assert known.mean.amin() > 0.3 and known.std.amax() < 1e-3


def test_its_tensors_are_the_estimator(fitted: LearnedEstimator) -> None:
    faces, _ = crowd(5, 40)
    again = LearnedEstimator.from_tensors({name: t.clone() for name, t in fitted.tensors().items()}, CONFIG)
    for name, tensor in numbers(fitted.statistics(faces)).items():
        assert torch.equal(tensor, getattr(again.statistics(faces), name))


def test_the_seed_makes_it() -> None:
    faces = crowd(30, 50)
    first, same, other = (LearnedEstimator.fit(*faces, CONFIG, seed=seed, epochs=2) for seed in (0, 0, 1))
    state = torch.get_rng_state()
    assert all(torch.equal(tensor, same.tensors()[name]) for name, tensor in first.tensors().items())
    assert not torch.equal(first.tensors()["linear.0.weight"], other.tensors()["linear.0.weight"])
    assert torch.equal(state, torch.get_rng_state())


def test_it_stops_where_the_held_out_get_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics of drawn faces cannot be guessed: more epochs would only learn the references by heart."""
    monkeypatch.setattr(learned, "PATIENCE", 3)
    faces, identities, steps = draw(120, 40), torch.arange(120), []
    step = learned._step
    monkeypatch.setattr(learned, "_step", lambda *arguments: (steps.append(1), step(*arguments)))
    stopped = LearnedEstimator.fit(faces, identities, CONFIG, seed=0, epochs=500)
    assert 4 <= len(steps) < 100
    best = LearnedEstimator.fit(faces, identities, CONFIG, seed=0, epochs=len(steps) - 3)
    assert torch.equal(stopped.tensors()["linear.0.weight"], best.tensors()["linear.0.weight"])


def test_held_out_identities_are_whole() -> None:
    identities = torch.arange(40).repeat(5)
    held_out = learned._held_out(identities, seed=0)
    assert len(identities[held_out].unique()) == 4
    assert not torch.isin(identities[held_out], identities[~held_out]).any()
    assert not torch.equal(held_out, learned._held_out(identities, seed=1))


def test_it_fits_to_what_was_embedded_without_gradients() -> None:
    with torch.inference_mode():
        faces, identities = crowd(20, 60)
    with torch.no_grad():
        estimator = LearnedEstimator.fit(faces, identities, CONFIG, seed=0, epochs=2)
    expected = LearnedEstimator.fit(*crowd(20, 60), CONFIG, seed=0, epochs=2)
    assert torch.equal(estimator.tensors()["linear.2.weight"], expected.tensors()["linear.2.weight"])


def test_arguments_are_checked(fitted: LearnedEstimator) -> None:
    faces, identities = crowd(10, 70)
    with pytest.raises(ValueError, match="epochs is 0: give at least 1"):
        LearnedEstimator.fit(faces, identities, CONFIG, seed=0, epochs=0)
    with pytest.raises(ValueError, match="candidates of other identities"):
        LearnedEstimator.fit(faces, torch.zeros_like(identities), CONFIG, seed=0)
    with pytest.raises(ValueError, match="embeddings have 5 dimensions and the estimator was fitted to 6"):
        fitted.statistics(draw(3, 5))


@pytest.mark.parametrize(
    "change",
    [
        {"linear.0.weight": None},
        {"linear.1.weight": None},
        {"linear.1.weight": torch.zeros(3, 3)},
        {"other": torch.zeros(1)},
        {"location": torch.full((3,), math.nan)},
    ],
)
def test_other_tensors_are_refused(change: dict[str, Any], fitted: LearnedEstimator) -> None:
    tensors = {name: tensor for name, tensor in (fitted.tensors() | change).items() if tensor is not None}
    with pytest.raises(ValueError, match="learned estimator"):
        LearnedEstimator.from_tensors(tensors, CONFIG)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_works_where_the_embeddings_are(fitted: LearnedEstimator) -> None:
    faces, identities = (tensor.cuda() for tensor in crowd(30, 80))
    estimator = LearnedEstimator.fit(faces, identities, CONFIG, seed=0, epochs=2)
    assert estimator.statistics(faces).mean.is_cuda and not estimator.statistics(faces.cpu()).mean.is_cuda
    torch.testing.assert_close(fitted.statistics(faces).mean.cpu(), fitted.statistics(faces.cpu()).mean)
