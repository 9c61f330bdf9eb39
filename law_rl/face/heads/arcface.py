"""ArcFace: an additive angular margin."""

from typing import Literal

from torch import Tensor

from law_rl.face.heads.angles import widened
from law_rl.face.heads.head import Head

Gradient = Literal["exact", "straight_through"]


class ArcFace(Head):
    """cos(theta_y + m) for each sample's own identity y, the cosines of the others as they are.

    Where theta_y > pi - m it is cos(theta_y) - m sin(m), see `widened`. With gradient "exact" the gradient is that of
    these values: sin(theta_y + m) / sin(theta_y) to the target cosine. With "straight_through" it is 1, as in
    insightface, which edits the angles while gradients are off; its present code keeps cos(theta_y + m) beyond pi - m.

    Source: arXiv 1801.07698, equation (3), and the authors' insightface.
    """

    def __init__(self, margin: float, gradient: Gradient) -> None:
        super().__init__()
        self.margin = margin
        self.gradient = gradient

    def margin_cosines(self, cosines: Tensor, columns: Tensor, norms: Tensor) -> Tensor:
        target = cosines.gather(1, columns)
        if self.gradient == "exact":
            return cosines.scatter(1, columns, widened(target, self.margin))
        value = target.detach()
        return cosines.scatter_add(1, columns, widened(value, self.margin) - value)
