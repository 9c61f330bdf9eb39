"""What is compared with what settings, and that a network's scores are those of the library's aligner."""

import numpy as np
import pytest
import torch

from benchmarks.alignment_methods import AllPairs, Network, Setting, methods
from law_rl.face.evaluation.pairs import PairScores, pair_scores
from law_rl.face.ida.aligner import ScoreAligner
from law_rl.face.ida.learned import LearnedEstimator
from law_rl.face.ida.norms import NORMS
from law_rl.face.ida.operators import OPERATORS
from law_rl.face.ida.support import SupportConfig
from tests.benchmarks.alignment import embedded_faces

COMPARED = methods()
SMALL = SupportConfig(count=7)


def assert_same(ours: PairScores, theirs: PairScores) -> None:
    for name in ("genuine_person", "impostor_first", "impostor_second", "identities"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert np.allclose(ours.genuine, theirs.genuine, atol=1e-5)
    assert np.allclose(ours.impostor, theirs.impostor, atol=1e-5)


def test_every_operator_meets_every_estimator_and_every_peer_is_there() -> None:
    assert len(COMPARED) == 4 * len(OPERATORS) + len(NORMS)
    assert [label for label in COMPARED if label.endswith("learned")] == [f"{name}, learned" for name in OPERATORS]
    shift, learned, peer = (
        COMPARED[name].settings for name in ("shift, virtual", "log_ratio, learned", "csls, gallery")
    )
    assert shift["top 20, beta 0.5"] == Setting(support=SupportConfig(count=20), beta=0.5)
    assert shift["within 0.2, beta 1"] == Setting(support=SupportConfig(rule="near", delta=0.2))
    assert len({name.split(", ")[1] for name in learned}) == 1
    assert list(peer) == ["top 5", "top 10", "top 20"]
    assert COMPARED["s_norm, gallery"].settings == {"all": Setting(support=SupportConfig(rule="all"))}


def test_cosines_are_those_of_all_pairs() -> None:
    faces = embedded_faces()
    assert_same(
        Network(faces, 0).cosines("test", "dark"), pair_scores(faces.test.conditions["dark"], faces.test.identities)
    )


@pytest.mark.parametrize("name", [*OPERATORS, *NORMS])
def test_aligned_scores_are_those_of_the_aligner(name: str) -> None:
    faces = embedded_faces()
    support = SupportConfig(rule="all") if name in ("z_norm", "t_norm", "s_norm") else SMALL
    setting = Setting(support=support, beta=0.3)
    pairs = AllPairs.of(faces.test.identities)
    aligner = ScoreAligner(method=name, support=support, beta=0.3).fit(faces.reference.conditions["plain"])
    embeddings = faces.test.conditions["masked"]
    expected = pairs.scores(aligner.align_pairs(embeddings, torch.stack([pairs.first, pairs.second], 1)))
    assert_same(Network(faces, 0).aligned("test", "masked", COMPARED[f"{name}, gallery"], setting), expected)


def test_estimators_take_their_own_faces() -> None:
    faces = embedded_faces()
    network, setting = Network(faces, 5), Setting(support=SMALL, beta=1.0)
    pairs = AllPairs.of(faces.test.identities)
    rows = torch.stack([pairs.first, pairs.second], 1)
    virtual = ScoreAligner(support=SMALL, beta=1.0).fit(faces.virtual)
    learned = ScoreAligner(support=SMALL, beta=1.0, estimator="learned").fit(
        faces.reference.conditions["plain"], faces.reference.identities, seed=5
    )
    for estimator, aligner in (("virtual", virtual), ("learned", learned)):
        expected = pairs.scores(aligner.align_pairs(faces.test.conditions["plain"], rows))
        assert_same(network.aligned("test", "plain", COMPARED[f"shift, {estimator}"], setting), expected)


def test_an_estimator_is_fitted_once_for_each_support_set(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[SupportConfig] = []
    original = LearnedEstimator.fit

    def fit(
        embeddings: torch.Tensor, identities: torch.Tensor, config: SupportConfig, *, seed: int
    ) -> LearnedEstimator:
        fitted.append(config)
        return original(embeddings, identities, config, seed=seed, epochs=1)

    monkeypatch.setattr(LearnedEstimator, "fit", fit)
    network = Network(embedded_faces(), 0)
    for part in ("validation", "test"):
        for label in ("shift, learned", "margin, learned"):
            for beta in (0.5, 1.0):
                network.aligned(part, "plain", COMPARED[label], Setting(support=SMALL, beta=beta))  # type: ignore[arg-type]
    assert fitted == [SMALL]
