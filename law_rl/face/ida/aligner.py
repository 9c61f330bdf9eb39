"""Scores of a deployed recogniser, aligned by how crowded the neighbourhoods of the two faces are."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor

from law_rl.face.evaluation.pairs import check_identities, directions, listed_scores
from law_rl.face.ida.aligner_file import read_aligner, write_aligner
from law_rl.face.ida.enrolled import Alignment, Enrolled, aligned_table
from law_rl.face.ida.estimators import GalleryEstimator
from law_rl.face.ida.learned import LearnedEstimator
from law_rl.face.ida.norms import NORMS
from law_rl.face.ida.operators import OPERATORS, Operator
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, check_disjoint_candidates

EstimatorName = Literal["gallery", "learned"]

METHODS: dict[str, tuple[SupportConfig, Operator]] = {
    **{name: (SupportConfig(), operator) for name, operator in OPERATORS.items()},
    "shift": (SupportConfig(count=5), OPERATORS["shift"]),
    **NORMS,
}
"""By name the support set that a method usually takes, and its operator. Those of shift, and beta, did best on faces
held out from every measurement: `benchmarks/score_alignment.py`.
"""

_ESTIMATORS: dict[str, type[GalleryEstimator] | type[LearnedEstimator]] = {
    "gallery": GalleryEstimator,
    "learned": LearnedEstimator,
}


class ScoreAligner:
    """Better decisions from any embeddings (faces, speakers, products) without retraining what made them.

    `fit` takes reference embeddings of others than those that will be compared; a score is then a cosine aligned by
    `method`, a name in `METHODS`, on the statistics of both sides' nearest references. With `estimator` "gallery" they
    are looked up, with "learned" guessed from the embedding by a small network, and the references are not kept.
    `support` None is what the method usually takes; `beta` acts on shift and one_sided. Like a scikit-learn estimator:
    `get_params`, `set_params`, `sklearn.base.clone`. Source: IDA, arXiv 2103.01559; the operators are our reading.
    """

    def __init__(
        self,
        *,
        method: str = "shift",
        estimator: EstimatorName = "gallery",
        support: SupportConfig | None = None,
        beta: float = 0.5,
    ) -> None:
        self.method, self.estimator, self.support, self.beta = method, estimator, support, beta
        self._check()
        self._fitted: GalleryEstimator | LearnedEstimator | None = None
        self._identities: Tensor | None = None

    @property
    def effective_support(self) -> SupportConfig:
        """The support set that the statistics are taken over."""
        return METHODS[self.method][0] if self.support is None else self.support

    def fit(self, embeddings: Tensor, identities: Tensor | None = None, *, seed: int = 0) -> Self:
        """Takes the references: embeddings [M, D] of any length and, where known, their identities int64 [M].

        "learned" needs identities, and draws from `seed`. Raises ValueError for other shapes, values that are not
        finite, and too few references for the support set.
        """
        if identities is not None:
            check_identities(embeddings, identities)
        if self.estimator == "learned":
            if identities is None:
                raise ValueError("estimator is 'learned' and identities is None: give the identities of the references")
            self._fitted = LearnedEstimator.fit(embeddings, identities, self.effective_support, seed=seed)
        else:
            self._fitted = GalleryEstimator(embeddings, self.effective_support)
        self._identities = identities
        return self

    def statistics(self, embeddings: Tensor) -> NeighbourStatistics:
        """The statistics of each of `embeddings` [N, D] by the references; ValueError before `fit`."""
        if self._fitted is None:
            raise ValueError("this aligner has no references: call fit first")
        return self._fitted.statistics(embeddings)

    def check_disjoint(self, identities: Tensor) -> None:
        """ValueError where one of `identities` int64 [N], numbered as in `fit`, is among the references, or `fit` was
        given none.
        """
        if self._identities is None:
            raise ValueError("the identities of the references are not known: give them to fit")
        check_disjoint_candidates(identities, self._identities)

    def align(
        self, scores: Tensor, first: Tensor | NeighbourStatistics, second: Tensor | NeighbourStatistics
    ) -> Tensor:
        """Cosines [P] of P pairs aligned: `first` (the probe) and `second` (the enrolled) are the faces' embeddings
        [P, D] or their statistics [P].
        """
        known = [side if isinstance(side, NeighbourStatistics) else self.statistics(side) for side in (first, second)]
        for side in known:
            if side.mean.shape != scores.shape:
                raise ValueError(
                    f"scores have shape {tuple(scores.shape)} and a side {tuple(side.mean.shape)}: give one of each a "
                    "pair"
                )
        return self._alignment()(scores, *known)

    def align_pairs(self, embeddings: Tensor, pairs: Tensor) -> Tensor:
        """The aligned cosine float32 [V] of each of `pairs` int64 [V, 2], rows of embeddings [N, D].

        Raises ValueError for rows that do not exist and embeddings that are not finite.
        """
        scores = torch.from_numpy(listed_scores(embeddings, pairs)).to(embeddings.device)
        if not len(scores):
            return scores
        rows, places = torch.unique(pairs.to(embeddings.device), return_inverse=True)
        known = self.statistics(embeddings[rows])
        return self._alignment()(scores, known.at(places[:, 0]), known.at(places[:, 1]))

    def enrol(self, embeddings: Tensor) -> Enrolled:
        """Embeddings [N, D] with their statistics, for a gallery that is compared more than once."""
        return Enrolled(directions=directions(embeddings, "embeddings").float(), statistics=self.statistics(embeddings))

    def transform(self, probe: Tensor | Enrolled, gallery: Tensor | Enrolled) -> Tensor:
        """Aligned cosines float32 [Q, G] of probes with a gallery, each of them embeddings [N, D] or enrolled."""
        probes, enrolled = (side if isinstance(side, Enrolled) else self.enrol(side) for side in (probe, gallery))
        return aligned_table(probes, enrolled, self._alignment())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor; `deep` is there for scikit-learn and changes nothing."""
        return {"method": self.method, "estimator": self.estimator, "support": self.support, "beta": self.beta}

    def set_params(self, **params: Any) -> Self:
        """Changes arguments of the constructor; ValueError for others. A fit stays where statistics stay equal."""
        changed = type(self)(**(self.get_params() | _known(params)))
        if (changed.estimator, changed.effective_support) == (self.estimator, self.effective_support):
            changed._fitted, changed._identities = self._fitted, self._identities
        self.__dict__.update(changed.__dict__)
        return self

    def save(self, path: str | Path) -> None:
        """Writes a safetensors file that the owner alone can read (mode 0600): a gallery's embeddings are in it."""
        if self._fitted is None:
            raise ValueError("this aligner has no references: call fit before save")
        support = None if self.support is None else asdict(self.support)
        write_aligner(Path(path), self.get_params() | {"support": support}, self._fitted.tensors(), self._identities)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The aligner that `save` wrote, on the CPU.

        Raises FileNotFoundError where there is none and ValueError, one sentence, for a damaged or foreign file.
        """
        path = Path(path)
        params, tensors, identities = read_aligner(path)
        try:
            support = params.get("support")
            aligner = cls(**_known(params | {"support": None if support is None else SupportConfig(**support)}))
            kind = _ESTIMATORS[aligner.estimator]
            aligner._fitted = kind.from_tensors(tensors, aligner.effective_support)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is no aligner that fits together ({error}): save it again") from error
        aligner._identities = identities
        return aligner

    def _alignment(self) -> Alignment:
        return partial(METHODS[self.method][1], beta=self.beta, gamma=self.effective_support.gamma)

    def _check(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}: use one of {', '.join(METHODS)}")
        if self.estimator not in get_args(EstimatorName):
            raise ValueError(f"estimator is {self.estimator!r}: use one of {', '.join(get_args(EstimatorName))}")
        if not 0 <= self.beta <= 2:
            raise ValueError(f"beta is {self.beta}: give a number from 0 to 2 (0 leaves the cosine)")


def _known(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they are; ValueError where the aligner has no such one."""
    names = ("method", "estimator", "support", "beta")
    if other := sorted(set(params) - set(names)):
        raise ValueError(f"{other[0]} is no parameter of the aligner: use {', '.join(names)}")
    return dict(params)
