"""Operators: what a score of two faces becomes by the statistics of their neighbours.

All are our reading of IDA (arXiv 2103.01559), whose equations were not available, named after what they do. Scores are
cosines s [P] of P pairs, `first` and `second` the statistics [P] of the faces a and b of each; shapes that broadcast
do as well. mu, sigma and E are mean, std and evidence. They compute in the wider of the dtypes; nothing is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import GAMMA

LEAST_STD = 1e-3
"""A smaller std, in cosines, is taken as this: a z-score stays finite."""


def shift(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics, *, beta: float = 1.0) -> Tensor:
    """s - beta (mu_a + mu_b) / 2: with beta 1 half of CSLS (Conneau et al., arXiv 1710.04087). Symmetric."""
    return scores - (0.5 * beta * first.mean + 0.5 * beta * second.mean)


def one_sided(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics, *, beta: float = 1.0) -> Tensor:
    """s - beta mu_a: what Z- and T-norm subtract, without their division."""
    return scores - beta * first.mean


def z_score(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics) -> Tensor:
    """((s - mu_a) / sigma_a + (s - mu_b) / sigma_b) / 2: AS-norm's formula, see `norms`. Symmetric."""
    return 0.5 * (standardised(scores, first) + standardised(scores, second))


def margin(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics) -> Tensor:
    """s - max(mu_a, mu_b): how much nearer the two are than the more crowded one's neighbours. Symmetric.

    Source: what the abstract of DAM (ICCV 2021, by the same authors) says of s_n - s_p; our reading.
    """
    return scores - torch.maximum(first.mean, second.mean)


def log_ratio(
    scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics, *, gamma: float = GAMMA
) -> Tensor:
    """gamma s - log(exp(gamma s) + exp(E_a) + exp(E_b)), the log of a softmax over the pair and both support sets.

    A candidate in both sets counts twice. `gamma` is that of the statistics' evidence. Symmetric.
    """
    return logsigmoid(gamma * scores - torch.logaddexp(first.evidence, second.evidence))


def standardised(scores: Tensor, statistics: NeighbourStatistics) -> Tensor:
    """(s - mu) / sigma, sigma at least `LEAST_STD`."""
    return (scores - statistics.mean) / statistics.std.clamp_min(LEAST_STD)


@dataclass(frozen=True)
class Operator:
    """A function of scores and both faces' statistics, and which of the settings beta and gamma it takes."""

    function: Callable[..., Tensor]
    settings: tuple[str, ...] = ()

    def __call__(
        self,
        scores: Tensor,
        first: NeighbourStatistics,
        second: NeighbourStatistics,
        *,
        beta: float = 1.0,
        gamma: float = GAMMA,
    ) -> Tensor:
        given = {"beta": beta, "gamma": gamma}
        return self.function(scores, first, second, **{name: given[name] for name in self.settings})


OPERATORS: dict[str, Operator] = {
    "shift": Operator(shift, ("beta",)),
    "one_sided": Operator(one_sided, ("beta",)),
    "z_score": Operator(z_score),
    "margin": Operator(margin),
    "log_ratio": Operator(log_ratio, ("gamma",)),
}
