"""AdaFace: a margin that depends on the quality of an image, for which the length of its embedding stands."""

import torch
from torch import Tensor

from law_rl.face.heads.angles import sines
from law_rl.face.heads.head import Head

SPREAD = 0.333
"""h: the share of the range of qualities that one standard deviation of the lengths takes."""

NEW = 0.01
"""The weight of a batch in the running statistics."""

SHORTEST, LONGEST = 0.001, 100.0
SMALLEST_DEVIATION = 0.001


class AdaFace(Head):
    """cos(theta_y + g_angle) - g_add for each sample's own identity y, the cosines of the others as they are.

    With the quality q = clip(h (|z| - mean) / std, -1, 1) of an embedding z, g_angle = -m q and g_add = m + m q.
    theta_y + g_angle is kept in [0, pi], and where it is not in there the target cosine gets no gradient, as in the
    authors' code. So are: |z| kept in [0.001, 100] and without gradient; 0.001 added to std; mean and std over
    batches, buffers that start at 20 and 100 and move by 0.01 of the way in training mode, before they are used; std
    with B - 1 in its divisor. A batch of one sample leaves std as it is. The authors also keep all cosines in
    [-0.999, 0.999], which we need not.

    Source: Kim, Jain and Liu, arXiv 2204.00964, our reading, and the authors' code with its setting t_alpha 0.01.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("std", torch.tensor(100.0))

    def margin_cosines(self, cosines: Tensor, columns: Tensor, norms: Tensor) -> Tensor:
        lengths = norms.detach().to(cosines.dtype).clamp(SHORTEST, LONGEST)
        if self.training:
            self._update(lengths)
        quality = (SPREAD * (lengths - self.mean) / (self.std + SMALLEST_DEVIATION)).clamp(-1, 1)[:, None]
        target = _rotated(cosines.gather(1, columns), -self.margin * quality)
        return cosines.scatter(1, columns, target - self.margin * (1 + quality))

    def _update(self, lengths: Tensor) -> None:
        self.mean.lerp_(lengths.mean().to(self.mean.dtype), NEW)
        if len(lengths) > 1:
            self.std.lerp_(lengths.std().to(self.std.dtype), NEW)


def _rotated(cosines: Tensor, angles: Tensor) -> Tensor:
    """cos(theta + angle), theta + angle kept in [0, pi], of cosines of theta and angles in [-1, 1] of one shape."""
    rotated = cosines * angles.cos() - sines(cosines) * angles.sin()
    rotated = rotated.masked_fill((angles < 0) & (cosines >= angles.cos()), 1.0)
    return rotated.masked_fill((angles > 0) & (cosines <= -angles.cos()), -1.0)
