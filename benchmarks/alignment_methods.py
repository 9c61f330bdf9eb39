"""What score_alignment compares: operators on estimators, peers, and the settings of each that validation chooses from.

Scores are those of all pairs of a network's held-out faces.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.alignment_faces import Embedded, Views
from benchmarks.degradations import Condition
from law_rl.face.evaluation.pairs import PairScores, directions, similarities
from law_rl.face.ida.aligner import METHODS
from law_rl.face.ida.estimators import Estimator, GalleryEstimator
from law_rl.face.ida.learned import LearnedEstimator
from law_rl.face.ida.norms import NORMS
from law_rl.face.ida.operators import OPERATORS
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import GAMMA, SupportConfig

EstimatorName = Literal["gallery", "alike", "virtual", "learned"]
"""References as they are, references in the condition of the faces that are compared, generated faces, and none."""
Part = Literal["validation", "test"]
ESTIMATORS: tuple[EstimatorName, ...] = ("gallery", "alike", "virtual", "learned")

SUPPORTS = (
    *(SupportConfig(count=count) for count in (5, 20, 100)),
    SupportConfig(rule="quantile", quantile=0.99),
    *(SupportConfig(rule="near", delta=delta) for delta in (0.1, 0.2)),
)
BETAS = (0.25, 0.5, 1.0)
GAMMAS = (8.0, GAMMA, 32.0)
COUNTS = {"as_norm": (20, 100, 300), "csls": (5, 10, 20)}
"""The numbers of nearest references of the peers that have one."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The support set of a method, and the weight of its statistics."""

    support: SupportConfig
    beta: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Method:
    """A name in METHODS, where its statistics come from, and the settings to choose from, by their label."""

    name: str
    estimator: EstimatorName
    settings: dict[str, Setting]

    @property
    def label(self) -> str:
        return f"{self.name}, {self.estimator}"


def methods() -> dict[str, Method]:
    """All that are compared, by label."""
    ours = [
        Method(name=name, estimator=estimator, settings=_settings(name, estimator))
        for name in OPERATORS
        for estimator in ESTIMATORS
    ]
    peers = [Method(name=name, estimator="gallery", settings=_peer_settings(name)) for name in NORMS]
    return {method.label: method for method in (*ours, *peers)}


def _settings(name: str, estimator: EstimatorName) -> dict[str, Setting]:
    """The learned estimator keeps one gamma: it is fitted anew for every support set and gamma."""
    taken = OPERATORS[name].settings
    if "beta" in taken:
        return {
            f"{_text(support)}, beta {beta:g}": Setting(support=support, beta=beta)
            for support in SUPPORTS
            for beta in BETAS
        }
    if "gamma" in taken:
        return {
            f"{_text(support)}, gamma {gamma:g}": Setting(support=replace(support, gamma=gamma))
            for support in SUPPORTS
            for gamma in ((GAMMA,) if estimator == "learned" else GAMMAS)
        }
    return {_text(support): Setting(support=support) for support in SUPPORTS}


def _peer_settings(name: str) -> dict[str, Setting]:
    support, _ = NORMS[name]
    supports = [replace(support, count=count) for count in COUNTS[name]] if name in COUNTS else [support]
    return {_text(support): Setting(support=support) for support in supports}


def _text(support: SupportConfig) -> str:
    match support.rule:
        case "top_k":
            return f"top {support.count}"
        case "quantile":
            return f"quantile {support.quantile:g}"
        case "near":
            return f"within {support.delta:g}"
        case "all":
            return "all"


@dataclass(frozen=True, kw_only=True, eq=False)
class AllPairs:
    """Each pair of N faces once: `first` and `second` int64 [P], rows with first < second; `same` bool [P], whether of
    one person, and int32 [P] whose the two are, as indices into `identities`.
    """

    first: Tensor
    second: Tensor
    same: NDArray[np.bool_]
    first_person: NDArray[np.int32]
    second_person: NDArray[np.int32]
    identities: NDArray[np.int64]

    @classmethod
    def of(cls, identities: Tensor) -> "AllPairs":
        distinct, places = np.unique(identities.cpu().numpy(), return_inverse=True)
        first, second = torch.triu_indices(len(identities), len(identities), offset=1, device=identities.device)
        persons = [places.astype(np.int32)[rows.cpu().numpy()] for rows in (first, second)]
        return cls(
            first=first,
            second=second,
            same=persons[0] == persons[1],
            first_person=persons[0],
            second_person=persons[1],
            identities=distinct,
        )

    def scores(self, values: Tensor) -> PairScores:
        """Values float32 [P], one a pair, as genuine and impostor scores."""
        taken, same = values.cpu().numpy(), self.same
        return PairScores(
            genuine=taken[same],
            impostor=taken[~same],
            genuine_person=self.first_person[same],
            impostor_first=self.first_person[~same],
            impostor_second=self.second_person[~same],
            identities=self.identities,
        )


class Network:
    """One network's faces with the statistics of each, computed once."""

    def __init__(self, faces: Embedded, seed: int) -> None:
        self.faces, self._seed = faces, seed
        self._pairs: dict[Part, AllPairs] = {}
        self._cosines: dict[tuple[Part, Condition], Tensor] = {}
        self._estimators: dict[tuple[EstimatorName, SupportConfig, Condition], Estimator] = {}
        self._statistics: dict[tuple[EstimatorName, SupportConfig, Part, Condition], NeighbourStatistics] = {}

    def cosines(self, part: Part, condition: Condition) -> PairScores:
        return self.pairs(part).scores(self._pair_cosines(part, condition))

    def aligned(self, part: Part, condition: Condition, method: Method, setting: Setting) -> PairScores:
        """The scores that a method makes of the cosines of all pairs in a condition."""
        known = self.statistics(method.estimator, setting.support, part, condition)
        return self.aligned_by(part, condition, method, setting, known)

    def aligned_by(
        self, part: Part, condition: Condition, method: Method, setting: Setting, known: NeighbourStatistics
    ) -> PairScores:
        """The same with given statistics of the faces."""
        pairs = self.pairs(part)
        ends = known.at(pairs.first), known.at(pairs.second)
        _, operator = METHODS[method.name]
        cosines = self._pair_cosines(part, condition)
        return pairs.scores(operator(cosines, *ends, beta=setting.beta, gamma=setting.support.gamma))

    def pairs(self, part: Part) -> AllPairs:
        if part not in self._pairs:
            self._pairs[part] = AllPairs.of(self._held_out(part).identities)
        return self._pairs[part]

    def statistics(
        self, estimator: EstimatorName, support: SupportConfig, part: Part, condition: Condition
    ) -> NeighbourStatistics:
        key = estimator, support, part, condition
        if key not in self._statistics:
            embeddings = self._held_out(part).conditions[condition]
            self._statistics[key] = self.estimator(estimator, support, condition).statistics(embeddings)
        return self._statistics[key]

    def estimator(self, name: EstimatorName, support: SupportConfig, condition: Condition = "plain") -> Estimator:
        """`condition` is that of the faces asked about, which matters to references alike."""
        key = name, support, condition if name == "alike" else "plain"
        if key not in self._estimators:
            self._estimators[key] = self._fitted(*key)
        return self._estimators[key]

    def _fitted(self, name: EstimatorName, support: SupportConfig, condition: Condition) -> Estimator:
        reference, virtual = self.faces.reference, self.faces.virtual
        match name:
            case "gallery" | "alike":
                return GalleryEstimator(reference.conditions[condition], support)
            case "virtual":
                return GalleryEstimator(virtual, support)
            case "learned":
                faces = reference.conditions["plain"]
                return LearnedEstimator.fit(faces, reference.identities, support, seed=self._seed)

    def _pair_cosines(self, part: Part, condition: Condition) -> Tensor:
        if (part, condition) not in self._cosines:
            rows, pairs = directions(self._held_out(part).conditions[condition], "faces").float(), self.pairs(part)
            self._cosines[part, condition] = similarities(rows, rows)[pairs.first, pairs.second]
        return self._cosines[part, condition]

    def _held_out(self, part: Part) -> Views:
        return self.faces.validation if part == "validation" else self.faces.test
