"""CurricularFace: ArcFace's margin, and negatives that weigh more the further training has come."""

import torch
from torch import Tensor

from law_rl.face.heads.angles import widened
from law_rl.face.heads.head import Head

NEW = 0.01
"""The weight of a batch in the running mean."""


class CurricularFace(Head):
    """T = cos(theta_y + m) for each sample's own identity y, as in ArcFace; cos(theta_j) for an identity j that is not
    above T, and cos(theta_j) (t + cos(theta_j)) for a hard one, which is.

    t, a buffer that starts at 0, is the running mean of cos(theta_y): in training mode t <- 0.99 t + 0.01 mean over the
    batch, before it is used, as in the authors' code. It gets no gradient. The authors' code compares with
    cos(theta_y + m) also beyond pi - m, where T is less; we compare with T, as the equations do.

    Source: Huang et al., arXiv 2004.00288, our reading, and the authors' code, whose 0.99 is the share that t keeps.
    """

    t: Tensor

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin
        self.register_buffer("t", torch.zeros(()))

    def margin_cosines(self, cosines: Tensor, columns: Tensor, norms: Tensor) -> Tensor:
        target = cosines.gather(1, columns)
        if self.training:
            self.t.lerp_(target.detach().mean().to(self.t.dtype), NEW)
        positive = widened(target, self.margin)
        others = torch.where(cosines > positive, cosines * (self.t + cosines), cosines)
        return others.scatter(1, columns, positive)
