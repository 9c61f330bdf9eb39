"""Hand-made baselines of distillation: fixed teachers, fixed routes and fixed mixtures of losses."""

from dataclasses import dataclass
from typing import ClassVar

from law_rl.distillation.anchors import equal_epoch_interval
from law_rl.distillation.learner import DistillationLearner
from law_rl.distillation.route import Route
from law_rl.jobs import Curriculum
from law_rl.learner import Directive, Learner


@dataclass(frozen=True, kw_only=True)
class Kd:
    """The twin: the converged teacher and the training's own loss weights, by default Hinton's distillation."""

    name: str = "kd"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive()


@dataclass(frozen=True, kw_only=True)
class NoTeacher:
    """Labels alone: cross-entropy without a teacher."""

    name: str = "no_teacher"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(losses=_only(learner, (("ce", 1.0),)))


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """The converged teacher and a fixed mixture of losses; terms not named weigh nothing."""

    name: str
    losses: tuple[tuple[str, float], ...]
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(losses=_only(learner, self.losses))


@dataclass(frozen=True, kw_only=True)
class FixedAnchor:
    """One anchor all the way, at `position` on the route; `losses` as in Mixture, empty: the training's own."""

    position: float
    losses: tuple[tuple[str, float], ...] = ()
    name: str
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(anchor=self.position, losses=_only(learner, self.losses))


@dataclass(frozen=True, kw_only=True)
class Rco:
    """Route-constrained optimisation (1904.09149): `anchors` at equal epoch intervals, each for as long as the others.

    The converged teacher comes last; where there are fewer stages than anchors, each stage takes the last of its share.
    `indices` are anchors of the route to follow instead, as a greedy search chose them. All share one training (the
    paper's "one-stage" form, as far as known). `losses` as in Mixture; empty: the training's own.
    """

    anchors: int = 4
    indices: tuple[int, ...] = ()
    losses: tuple[tuple[str, float], ...] = ()
    name: str = "rco_4"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        if not isinstance(learner, DistillationLearner):
            raise ValueError(f"{self.name} follows a teacher's route, and this training has none: leave it out")
        route = learner.teacher.route
        chosen = self.indices or equal_epoch_interval(route, self.anchors)
        index = chosen[-(-(learner.stage + 1) * len(chosen) // learner.stages) - 1]
        return Directive(anchor=_position(index, route), losses=_only(learner, self.losses))


def _position(index: int, route: Route) -> float:
    if not 0 <= index < len(route):
        raise ValueError(f"indices has {index} on a route of {len(route)} anchors: give 0 to {len(route) - 1}")
    return index / (len(route) - 1) if len(route) > 1 else 1.0


def _only(learner: Learner, losses: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """These weights and 0 for all other terms of the learner; without any, the learner's own."""
    return dict.fromkeys(learner.loss_weights, 0.0) | dict(losses) if losses else {}


def routes(counts: tuple[int, ...] = (2, 4, 8)) -> tuple[Rco, ...]:
    """RCO with these numbers of anchors."""
    return tuple(Rco(anchors=count, name=f"rco_{count}") for count in counts)


DISTILLATION: tuple[Curriculum, ...] = (
    Kd(),
    NoTeacher(),
    *routes(),
    Mixture(name="cckd", losses=(("kd", 1.0), ("cc", 3.0))),
    Rco(anchors=4, name="rco_4_cckd", losses=(("kd", 1.0), ("cc", 3.0))),
)
"""What a learned curriculum is held against; the weight 3 of correlation congruence was chosen on digits."""
