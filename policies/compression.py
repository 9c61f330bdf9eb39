"""Hand-made baselines of codec training: the trade-off fixed or falling, hard patches first, a teacher."""

from dataclasses import dataclass
from typing import ClassVar

from law_rl.jobs import Curriculum
from law_rl.learner import Directive, Learner
from law_rl.weighting import LinearTanh, Uniform, Weighting
from policies.baselines import UniformWeights


@dataclass(frozen=True, kw_only=True)
class FixedTerms:
    """Fixed weights of terms of the loss and of features of samples, with the converged teacher.

    A term that is not named keeps the training's own weight; without `features` samples weigh the same.
    """

    name: str
    losses: tuple[tuple[str, float], ...]
    features: tuple[tuple[str, float], ...] = ()
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(weighting=_by(self.features), losses=dict(self.losses))


@dataclass(frozen=True, kw_only=True)
class MovingLambda:
    """Lambda moves geometrically from `first` times the target to the target.

    EDIC's released baseline (arXiv 2002.03370) goes on from a codec of a higher lambda for each lower one.
    """

    first: float
    name: str
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(losses={"distortion": self.first ** stages_left(learner)})


@dataclass(frozen=True, kw_only=True)
class HardSamples:
    """Samples of large error count more, at first most and in the last stage no more than others."""

    name: str
    strength: float = 0.4
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(weighting=_by((("distortion", self.strength * stages_left(learner)),)))


def stages_left(learner: Learner) -> float:
    """1 in the first stage, falling to 0 in the last."""
    return 1.0 - learner.stage / max(learner.stages - 1, 1)


def _by(features: tuple[tuple[str, float], ...]) -> Weighting:
    if not features:
        return Uniform()
    names, weights = zip(*features, strict=True)
    return LinearTanh(features=names, weights=weights, bias=0.0, gain=1.0)


BEST_FIXED = FixedTerms(name="best_fixed", losses=(("distortion", 0.55),), features=(("bits", -0.2),))
"""The best of thirty fixed directives on validation patches, three trainings each: more than a search takes."""

TEACHERS_PICTURES = FixedTerms(name="teachers_pictures", losses=(("distortion", 0.5), ("teacher_output", 0.5)))
TEACHERS_LATENTS = FixedTerms(name="teachers_latents", losses=(("teacher_features", 0.01),))

CODECS: tuple[Curriculum, ...] = (
    UniformWeights(),
    BEST_FIXED,
    MovingLambda(first=4.0, name="falling_lambda"),
    MovingLambda(first=0.4, name="rising_lambda"),
    HardSamples(name="hard_patches"),
    TEACHERS_PICTURES,
    TEACHERS_LATENTS,
)
"""What a learned curriculum is held against; the first is the twin, uniform training at the target lambda."""
