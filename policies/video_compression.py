"""Hand-made baselines of training a video codec: those of any codec, the prediction first, and moving frames first."""

from dataclasses import dataclass
from typing import ClassVar

from law_rl.jobs import Curriculum
from law_rl.learner import Directive, Learner
from policies.baselines import UniformWeights
from policies.compression import FixedTerms, HardSamples, MovingLambda, stages_left


@dataclass(frozen=True, kw_only=True)
class PredictionFirst:
    """The error of the prediction counts in the first stage, less and less, and not in the last.

    DVC (arXiv 1812.00101, section 3.7) trains for the prediction alone before the whole.
    """

    strength: float = 0.5
    name: str = "prediction_first"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return Directive(losses={"prediction": self.strength * stages_left(learner)})


BEST_FIXED = FixedTerms(name="best_fixed", losses=(("distortion", 0.7),), features=(("motion", -0.2),))
"""The best of twelve fixed directives on validation clips, three trainings each: more than a search takes. Those were
measured before the flow was polished; on test clips, with it, the directive loses 0.04 dB to uniform training.
"""

VIDEO_CODECS: tuple[Curriculum, ...] = (
    UniformWeights(),
    BEST_FIXED,
    MovingLambda(first=4.0, name="falling_lambda"),
    MovingLambda(first=0.4, name="rising_lambda"),
    PredictionFirst(),
    HardSamples(name="hard_frames"),
    FixedTerms(name="moving_frames", losses=(), features=(("motion", 0.4),)),
)
"""What a learned curriculum is held against; the first is the twin, uniform training at the target lambda."""
