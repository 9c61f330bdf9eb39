"""The metrics of a stage."""

import math
import time

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.evaluation.folds import ListedPairs, fold_accuracy
from law_rl.face.evaluation.identification import identification_rate
from law_rl.face.evaluation.pairs import listed_scores, pair_scores
from law_rl.face.evaluation.rates import equal_error_rate, tar_at_far
from law_rl.face.evaluation.verification import verification_metrics


def faces(persons: int = 40, images: int = 4, width: int = 16, spread: float = 0.8) -> tuple[Tensor, Tensor]:
    identities = torch.arange(persons * images) // images
    generator = torch_generator(0, "faces")
    centres = torch.randn(persons, width, generator=generator)
    return centres[identities] + spread * torch.randn(len(identities), width, generator=generator), identities


def listed_pairs(identities: Tensor) -> ListedPairs:
    count = len(identities)
    pairs = torch.stack([torch.arange(count), (torch.arange(count) + 1) % count], dim=1)
    same = identities[pairs[:, 0]] == identities[pairs[:, 1]]
    return ListedPairs(pairs=pairs, same=same, fold=torch.arange(count) * 10 // count)


def test_they_are_those_of_the_parts_in_per_cent() -> None:
    embeddings, identities = faces()
    masked, listed = embeddings + embeddings.roll(1, 0), listed_pairs(identities)
    rates = verification_metrics(embeddings, identities, listed=listed, masked=masked)
    scores, crossed = pair_scores(embeddings, identities), pair_scores(masked, identities, embeddings)
    accuracy = fold_accuracy(listed_scores(embeddings, listed.pairs), listed.same.numpy(), listed.fold.numpy())
    expected = {
        "TAR@0.001": tar_at_far(scores.genuine, scores.impostor, 0.001),
        "TAR@0.01": tar_at_far(scores.genuine, scores.impostor, 0.01),
        "EER": equal_error_rate(scores.genuine, scores.impostor),
        "rank_1": identification_rate(embeddings, identities),
        "accuracy": accuracy.mean,
        "masked TAR@0.001": tar_at_far(crossed.genuine, crossed.impostor, 0.001),
        "masked TAR@0.01": tar_at_far(crossed.genuine, crossed.impostor, 0.01),
    }
    assert rates == pytest.approx({name: 100 * value for name, value in expected.items()})
    assert all(type(rate) is float for rate in rates.values())
    assert 0 < rates["EER"] < 50 < rates["TAR@0.01"] < 100


def test_parts_that_are_not_given_are_left_out() -> None:
    assert set(verification_metrics(*faces(), fars=(0.1,))) == {"TAR@0.1", "EER", "rank_1"}


@pytest.mark.parametrize("broken", ["embeddings", "masked"])
def test_a_diverged_network_has_metrics_that_are_nan(broken: str) -> None:
    embeddings, identities = faces()
    parts = {"embeddings": embeddings, "masked": embeddings.clone()}
    parts[broken][3, 2] = math.inf
    rates = verification_metrics(**parts, identities=identities)
    assert len(rates) == 6 and all(math.isnan(rate) for rate in rates.values())


def test_a_constant_network_is_no_better_than_chance() -> None:
    _, identities = faces()
    rates = verification_metrics(torch.ones(len(identities), 8), identities)
    assert rates == {"TAR@0.001": 0.0, "TAR@0.01": 0.0, "EER": pytest.approx(50), "rank_1": 0.0}


def test_nobody_with_two_images_is_refused() -> None:
    with pytest.raises(ValueError, match="no genuine score: give images of two persons at least, one of them with two"):
        verification_metrics(torch.eye(4), torch.arange(4))


def test_1500_images_are_quick() -> None:
    embeddings, identities = faces(persons=300, images=5, width=128, spread=1.5)
    start = time.process_time()
    verification_metrics(embeddings, identities, listed=listed_pairs(identities), masked=embeddings.roll(1, 1))
    assert time.process_time() - start < 1.0  # 0.12 s on a quiet core


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_metrics() -> None:
    embeddings, identities = faces()
    listed, masked = listed_pairs(identities), embeddings.roll(1, 1)
    expected = verification_metrics(embeddings, identities, listed=listed, masked=masked)
    rates = verification_metrics(embeddings.cuda(), identities.cuda(), listed=listed, masked=masked.cuda())
    assert rates == pytest.approx(expected, abs=0.5)  # scores that are rounded differently may change places
