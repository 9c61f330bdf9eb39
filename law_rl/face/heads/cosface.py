"""CosFace: an additive margin on the cosine."""

from torch import Tensor

from law_rl.face.heads.head import Head


class CosFace(Head):
    """cos(theta_y) - m for each sample's own identity y, the cosines of the others as they are.

    Source: Wang et al., arXiv 1801.09414, equation (4).
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def margin_cosines(self, cosines: Tensor, columns: Tensor, norms: Tensor) -> Tensor:
        return cosines.scatter(1, columns, cosines.gather(1, columns) - self.margin)
