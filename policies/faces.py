"""Hand-made baselines of face distillation: feature consistency, CoupleFace's mixture, routes."""

from law_rl.jobs import Curriculum
from policies.distillation import Kd, Mixture, NoTeacher, Rco

FCD = (("ce", 1.0), ("fcd", 10.0))
COUPLE = (*FCD, ("rad", 5.0))
"""CoupleFace's kind of mixture; the weights were chosen on validation data, see experiments/face_ablation.py."""

FACES: tuple[Curriculum, ...] = (
    Kd(name="fcd"),
    NoTeacher(),
    Mixture(name="kd", losses=(("kd", 1.0),)),
    Mixture(name="couple", losses=COUPLE),
    Rco(anchors=4),
)
"""What a learned curriculum is held against; the first is the twin, labels and feature consistency."""
