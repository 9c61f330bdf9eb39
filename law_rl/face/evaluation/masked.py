"""Verification of faces with and without masks."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from law_rl.face.evaluation.pairs import PairScores, pair_scores
from law_rl.face.evaluation.rates import percentages


def masked_scores(plain: Tensor, masked: Tensor, identities: Tensor) -> dict[str, PairScores]:
    """The pair scores "plain-plain", "masked-plain" and "masked-masked" of embeddings [N, D] of the same images without
    and with masks, of identities int64 [N].

    No image meets its own masked version. Raises ValueError as `pair_scores` does.
    """
    return {
        "plain-plain": pair_scores(plain, identities),
        "masked-plain": pair_scores(masked, identities, plain),
        "masked-masked": pair_scores(masked, identities),
    }


def masked_table(scores: Mapping[str, PairScores], fars: Sequence[float] = (1e-3, 1e-2)) -> dict[str, dict[str, float]]:
    """A row for each of `scores`: "TAR@0.001" for each of `fars` and "EER", in per cent."""
    return {name: percentages(each.genuine, each.impostor, fars) for name, each in scores.items()}
