"""The metrics of a face network in training: verification of all pairs, quick enough for every stage."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from law_rl.face.evaluation.folds import ListedPairs, fold_accuracy
from law_rl.face.evaluation.identification import identification_rate
from law_rl.face.evaluation.pairs import listed_scores, pair_scores
from law_rl.face.evaluation.rates import percentages, tar_at_far


def verification_metrics(
    embeddings: Tensor,
    identities: Tensor,
    *,
    fars: Sequence[float] = (1e-3, 1e-2),
    listed: ListedPairs | None = None,
    masked: Tensor | None = None,
) -> dict[str, float]:
    """In per cent, of embeddings [N, D] of images of identities int64 [N]: "TAR@0.001" for each of `fars` and "EER" of
    all pairs, and "rank_1", how often an image finds another of its person among the images of all other persons.

    With `listed` pairs, rows of the embeddings, "accuracy" by insightface's rule; with the embeddings [N, D] of the
    same images `masked`, "masked TAR@0.001" and so on, a masked image against each plain one but its own.

    All are NaN where an embedding is not finite. Raises ValueError for shapes that do not fit, and where there are no
    two persons or nobody has two images.
    """
    rates = _rates(embeddings, identities, fars, listed, masked)
    if not all(bool(part.isfinite().all()) for part in (embeddings, masked) if part is not None):
        return dict.fromkeys(rates, math.nan)
    return rates


def _rates(
    embeddings: Tensor, identities: Tensor, fars: Sequence[float], listed: ListedPairs | None, masked: Tensor | None
) -> dict[str, float]:
    embeddings = torch.nan_to_num(embeddings)
    scores = pair_scores(embeddings, identities)
    rates = percentages(scores.genuine, scores.impostor, fars)
    rates["rank_1"] = 100.0 * identification_rate(embeddings, identities)
    if listed is not None:
        cosines = listed_scores(embeddings, listed.pairs)
        same, fold = listed.same.cpu().numpy(), listed.fold.cpu().numpy()
        rates["accuracy"] = 100.0 * fold_accuracy(cosines, same, fold).mean
    if masked is not None:
        crossed = pair_scores(torch.nan_to_num(masked), identities, embeddings)
        for far in fars:
            rates[f"masked TAR@{far:g}"] = 100.0 * tar_at_far(crossed.genuine, crossed.impostor, far)
    return rates
