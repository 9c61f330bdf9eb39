"""How well a network does on a split: by its logits where classes are known, by its embeddings where they are not."""

import torch
from torch.nn import functional

from law_rl.classification.retrieval import retrieval_scores
from law_rl.data.dataset import ACCURACY
from law_rl.data.retrieval import MEAN_AVERAGE_PRECISION, RetrievalSplit


def classification_metrics(logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Top-1 accuracy in percent and mean cross-entropy in nats of logits [N, C] against labels int64 [N]."""
    correct = (logits.argmax(dim=1) == targets).double().mean()
    return {ACCURACY: 100.0 * correct.item(), "loss": functional.cross_entropy(logits, targets).item()}


def retrieval_metrics(query: torch.Tensor, gallery: torch.Tensor, split: RetrievalSplit) -> dict[str, float]:
    """mAP, rank-1 and rank-5 in percent of the embeddings [Q, D] and [G, D] of a split's images."""
    scores = retrieval_scores(
        query,
        gallery,
        query_identities=split.query.targets,
        gallery_identities=split.gallery.targets,
        query_cameras=split.query_cameras,
        gallery_cameras=split.gallery_cameras,
    )
    return {MEAN_AVERAGE_PRECISION: scores.mean_average_precision, "rank_1": scores.rank_1, "rank_5": scores.rank_5}
