"""How well neighbour statistics are known without a gallery, and how much they differ among faces at all."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from torch import Tensor

from benchmarks.alignment_methods import Method, Network, Setting
from benchmarks.alignment_tables import FARS
from benchmarks.degradations import Condition
from law_rl.face.evaluation.rates import percentages
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, support_statistics

MOMENTS: tuple[Literal["mean", "std", "evidence"], ...] = ("mean", "std", "evidence")


def spread(network: Network, condition: Condition, support: SupportConfig) -> dict[str, float]:
    """Over test images the standard deviation of mu, the mean cosine to the nearest references, and that of impostor
    cosines; and the correlation of these with the pair's mean mu. A shift matters through the first alone.
    """
    mu = network.statistics("gallery", support, "test", condition).mean.cpu().numpy().astype(np.float64)
    pairs, cosines = network.pairs("test"), network.cosines("test", condition).impostor.astype(np.float64)
    ends = 0.5 * (mu[pairs.first.cpu().numpy()] + mu[pairs.second.cpu().numpy()])[~pairs.same]
    return {
        "mu": float(mu.std()),
        "impostor": float(cosines.std()),
        "correlation": float(np.corrcoef(ends, cosines)[0, 1]),
    }


def estimators(network: Network, condition: Condition, method: Method, setting: Setting) -> dict[str, dict[str, Any]]:
    """By estimator of the test faces' statistics in a condition: the RMSE and R^2 of mu against the gallery's, and the
    rates of the method with them.

    "constant" is the reference faces' mean. Those of virtual candidates are also brought to the gallery's scale, by a
    line for each statistic that is fitted on the reference faces.
    """
    support = setting.support
    gallery, virtual, learned = (
        network.statistics(name, support, "test", condition) for name in ("gallery", "virtual", "learned")
    )
    faces, identities = network.faces.reference.conditions["plain"], network.faces.reference.identities
    known = support_statistics(faces, faces, support, identities=identities, candidate_identities=identities)
    guessed = network.estimator("virtual", support).statistics(faces)
    compared = {
        "gallery": gallery,
        "constant": constant(known, len(gallery)),
        "virtual": virtual,
        "virtual, line fitted": on_lines(virtual, guessed, known),
        "learned": learned,
    }
    found = {}
    for name, statistics in compared.items():
        scores = network.aligned_by("test", condition, method, setting, statistics)
        rates = percentages(scores.genuine, scores.impostor, FARS)
        found[name] = {**errors(statistics.mean, gallery.mean), "rates": rates}
    return found


def errors(guessed: Tensor, true: Tensor) -> dict[str, float]:
    """The root mean square error, and R^2: 1 less the share of the variance that is left; of [N] and [N]."""
    squares = (guessed - true).double().square().mean()
    return {"rmse": float(squares.sqrt()), "r2": float(1 - squares / true.double().var(correction=0))}


def constant(known: NeighbourStatistics, count: int) -> NeighbourStatistics:
    """The means of known statistics, the same for `count` faces."""
    return NeighbourStatistics(
        **{name: getattr(known, name).mean().expand(count) for name in MOMENTS}, count=known.count[:1].expand(count)
    )


def on_lines(
    values: NeighbourStatistics, guessed: NeighbourStatistics, known: NeighbourStatistics
) -> NeighbourStatistics:
    """Each statistic of `values` on the line that leads best, in the least squares sense, from `guessed` to `known`."""
    return replace(
        values, **{name: _on_line(*(getattr(each, name) for each in (values, guessed, known))) for name in MOMENTS}
    )


def _on_line(values: Tensor, guessed: Tensor, known: Tensor) -> Tensor:
    x, y = guessed.double(), known.double()
    slope = ((x - x.mean()) * (y - y.mean())).mean() / x.var(correction=0)
    return (y.mean() + slope * (values.double() - x.mean())).to(values.dtype)
