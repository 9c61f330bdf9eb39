"""The total of CCKD: labels, single samples and correlations in one loss."""

import math

from torch import Tensor


def cckd_total(
    cross_entropy: Tensor, instance: Tensor, congruence: Tensor, *, alpha: float = 0.0, beta: float = 0.003
) -> Tensor:
    """alpha L_CE + (1 - alpha) L_KD + beta L_CC of losses [] of a batch; `instance` is the KD or the mimic loss.

    A term of weight 0 is left out, even where it is not finite. `beta` goes with the scale of the congruence loss: the
    paper's 0.003 suits its figures of 250 to 5000, not the mean over unit vectors, which is below 1. Raises ValueError
    for losses that are not scalars, alpha outside [0, 1] and a negative beta.

    Source: equation (7) of arXiv 1904.01802; alpha 0 and beta 0.003 are its main setting.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}: give the share of the cross-entropy, from 0 to 1.")
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta is {beta}: give the weight of the congruence loss, 0 or above.")
    weights = {"cross_entropy": alpha, "instance": 1 - alpha, "congruence": beta}
    losses = {"cross_entropy": cross_entropy, "instance": instance, "congruence": congruence}
    for name, loss in losses.items():
        if loss.ndim:
            raise ValueError(f"{name} has shape {tuple(loss.shape)}: give the batch's loss, one number.")
    first, *others = [weights[name] * loss for name, loss in losses.items() if weights[name]]
    return sum(others, first)
