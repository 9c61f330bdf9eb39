"""The head without a margin."""

from torch import Tensor

from law_rl.face.heads.head import Head


class Softmax(Head):
    """The cosines as they are. Source: NormFace, arXiv 1704.06369."""

    def margin_cosines(self, cosines: Tensor, columns: Tensor, norms: Tensor) -> Tensor:
        return cosines
