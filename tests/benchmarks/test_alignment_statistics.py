"""Errors of statistics, lines, and how much statistics differ."""

import numpy as np
import pytest
import torch

from benchmarks.alignment_methods import Network, Setting, methods
from benchmarks.alignment_statistics import constant, errors, estimators, on_lines, spread
from law_rl.counters import torch_generator
from law_rl.face.evaluation.rates import equal_error_rate
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, support_statistics
from tests.benchmarks.alignment import embedded_faces

SUPPORT = SupportConfig(count=7)


def statistics(number: int) -> NeighbourStatistics:
    mean, std, evidence = torch.rand(3, 50, generator=torch_generator(0, "statistics", number)).unbind()
    return NeighbourStatistics(mean=mean, std=std, evidence=evidence, count=torch.full((50,), 7))


def scaled(known: NeighbourStatistics) -> NeighbourStatistics:
    return NeighbourStatistics(
        mean=2 * known.mean + 1, std=0.5 * known.std - 3, evidence=7 - known.evidence, count=known.count
    )


def test_errors() -> None:
    guessed, true = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 3.0, 5.0])
    assert errors(guessed, true) == pytest.approx({"rmse": (2 / 3) ** 0.5, "r2": 1 - 2 / 8})
    assert errors(true, true) == {"rmse": 0.0, "r2": 1.0}
    assert errors(true.mean().expand(3), true)["r2"] == pytest.approx(0.0)


def test_lines_bring_statistics_to_the_scale_of_others() -> None:
    known, values = statistics(0), statistics(1)
    found = on_lines(scaled(values), scaled(known), known)
    for name in ("mean", "std", "evidence"):
        assert torch.allclose(getattr(found, name), getattr(values, name), atol=1e-5)


def test_a_line_is_the_least_squares_one() -> None:
    values, guessed, known = (statistics(number) for number in range(3))
    slope, offset = np.polyfit(guessed.mean.numpy(), known.mean.numpy(), 1)
    found = on_lines(values, guessed, known)
    assert np.allclose(found.mean.numpy(), offset + slope * values.mean.numpy(), atol=1e-5)


def test_a_constant_is_the_mean() -> None:
    known = statistics(0)
    found = constant(known, 4)
    assert len(found) == 4 and torch.equal(found.std, known.std.mean().expand(4)) and found.count.tolist() == [7] * 4


def test_spread_is_over_images_and_impostor_pairs() -> None:
    faces = embedded_faces()
    embeddings = torch.nn.functional.normalize(faces.test.conditions["dark"]).double()
    mu = support_statistics(embeddings, faces.reference.conditions["plain"], SUPPORT).mean.double().numpy()
    impostor, sums = [], []
    for first in range(len(mu)):
        for second in range(first + 1, len(mu)):
            if faces.test.identities[first] != faces.test.identities[second]:
                impostor.append(float(embeddings[first] @ embeddings[second]))
                sums.append(mu[first] + mu[second])
    found = spread(Network(faces, 0), "dark", SUPPORT)
    expected = {"mu": mu.std(), "impostor": np.std(impostor), "correlation": np.corrcoef(impostor, sums)[0, 1]}
    assert found == pytest.approx(expected, abs=1e-5)


def test_estimators_are_measured_against_the_gallery() -> None:
    faces = embedded_faces()
    network = Network(faces, 0)
    found = estimators(network, "plain", methods()["shift, gallery"], Setting(support=SUPPORT, beta=0.7))
    assert list(found) == ["gallery", "constant", "virtual", "virtual, line fitted", "learned"]
    assert found["gallery"]["rmse"] == 0.0 and found["gallery"]["r2"] == 1.0
    cosine = network.cosines("test", "plain")
    assert found["constant"]["rates"]["EER"] == pytest.approx(100 * equal_error_rate(cosine.genuine, cosine.impostor))
    assert found["gallery"]["rates"] != found["constant"]["rates"]
    assert found["virtual"]["rmse"] != found["virtual, line fitted"]["rmse"]


def test_no_person_is_in_the_own_support_set_of_what_estimators_are_fitted_to() -> None:
    faces = embedded_faces()
    reference, identities = faces.reference.conditions["plain"], faces.reference.identities
    network, setting = Network(faces, 0), Setting(support=SUPPORT)
    known = support_statistics(reference, reference, SUPPORT, identities=identities, candidate_identities=identities)
    true = network.statistics("gallery", SUPPORT, "test", "plain").mean
    found = estimators(network, "plain", methods()["shift, gallery"], setting)
    guessed = network.estimator("virtual", SUPPORT).statistics(reference)
    line = on_lines(network.statistics("virtual", SUPPORT, "test", "plain"), guessed, known).mean
    assert found["constant"]["rmse"] == pytest.approx(float((true - known.mean.mean()).square().mean().sqrt()))
    assert found["virtual, line fitted"]["rmse"] == pytest.approx(float((true - line).square().mean().sqrt()))
