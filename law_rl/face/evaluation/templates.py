"""Verification of templates, sets of images and video frames of a person, as in IJB-B and IJB-C."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.face.evaluation.pairs import check_embeddings, directions, listed_scores
from law_rl.face.evaluation.template_files import TemplateList, TemplatePairs


@dataclass(frozen=True, kw_only=True, eq=False)
class TemplateScores:
    """Cosines float32 of the template pairs of one person (`genuine`) and of two (`impostor`)."""

    genuine: NDArray[np.float32]
    impostor: NDArray[np.float32]


@torch.no_grad()
def pool_templates(embeddings: Tensor, templates: Tensor, media: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct templates int64 [T] in ascending order and their embeddings float32 [T, D] of length 1.

    The embeddings [N, D] of the images of one medium of a template are averaged, these means are summed over the
    template's media, and the sum is normalised; a medium with many frames so counts as one picture. `templates` and
    `media` are int64 [N]. The lengths of embeddings count: normalise them first where they should not. Sums are taken
    in float64. Raises ValueError for shapes that do not fit and embeddings that are not finite.

    Source: the evaluation program of insightface for IJB.
    """
    for name, values in (("templates", templates), ("media", media)):
        if values.dtype != torch.int64 or values.shape != embeddings.shape[:1]:
            raise ValueError(
                f"{name} are {values.dtype} {tuple(values.shape)}: give int64 [{len(embeddings)}], one per embedding."
            )
    check_embeddings(embeddings, "embeddings")
    both = torch.stack([templates, media], dim=1)
    groups, place = torch.unique(both, dim=0, return_inverse=True)
    sizes = torch.bincount(place, minlength=len(groups)).double()
    sums = embeddings.new_zeros((len(groups), embeddings.shape[1]), dtype=torch.float64)
    means = sums.index_add_(0, place, embeddings.double()) / sizes[:, None]
    names, place = torch.unique(groups[:, 0], return_inverse=True)
    totals = means.new_zeros((len(names), means.shape[1])).index_add_(0, place, means)
    return names, directions(totals, "templates").float()


def template_scores(embeddings: Tensor, listed: TemplateList, pairs: TemplatePairs) -> TemplateScores:
    """The scores of `pairs` of templates pooled from embeddings [N, D], one for each image of `listed` in its order.

    Raises ValueError for a pair of a template that has no image, and as `pool_templates` does.
    """
    device = embeddings.device
    names, templates = pool_templates(embeddings, listed.templates.to(device), listed.media.to(device))
    wanted = pairs.pairs.to(device).contiguous()
    rows = torch.searchsorted(names, wanted)
    missing = names[rows.clamp_max(len(names) - 1)] != wanted
    if missing.any():
        raise ValueError(
            f"template {int(wanted[missing][0])} is in a pair and has no image: "
            "use the list of images and the list of pairs of one protocol."
        )
    scores = listed_scores(templates, rows)
    same = pairs.same.numpy()
    return TemplateScores(genuine=scores[same], impostor=scores[~same])
