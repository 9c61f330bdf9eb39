"""Score normalisations of speaker verification and word translation, as pairs of a support set and an operator.

`first` is the probe's side, the test sample's, `second` the gallery's, the enrolled one's. The cohort is the reference
faces. Formulas as in speechbrain (Z-, T-, S-norm), wespeaker (AS-norm, without its centring of embeddings) and MUSE
(CSLS, with the reference faces as the other set).
"""

from torch import Tensor

from law_rl.face.ida.operators import Operator, standardised, z_score
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig


def z_norm(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics) -> Tensor:
    """(s - mu_b) / sigma_b, of the enrolled face."""
    return standardised(scores, second)


def t_norm(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics) -> Tensor:
    """(s - mu_a) / sigma_a, of the test face."""
    return standardised(scores, first)


def csls(scores: Tensor, first: NeighbourStatistics, second: NeighbourStatistics) -> Tensor:
    """2 s - mu_a - mu_b. Source: Conneau et al., arXiv 1710.04087. Symmetric."""
    return 2.0 * scores - (first.mean + second.mean)


WHOLE_COHORT = SupportConfig(rule="all")

NORMS: dict[str, tuple[SupportConfig, Operator]] = {
    "z_norm": (WHOLE_COHORT, Operator(z_norm)),
    "t_norm": (WHOLE_COHORT, Operator(t_norm)),
    "s_norm": (WHOLE_COHORT, Operator(z_score)),
    "as_norm": (SupportConfig(count=300), Operator(z_score)),
    "csls": (SupportConfig(count=10), Operator(csls)),
}
