"""Hand-made baselines of face distillation: feature consistency, CoupleFace's mixture, routes."""

from law_rl.jobs import Curriculum
from policies.distillation import Kd, Mixture, NoTeacher, Rco

FCD = (("ce", 1.0), ("fcd", 10.0))
COUPLE = (*FCD, ("rad", 5.0))
"""CoupleFace's kind of mixture; the weights were chosen on validation data, see experiments/face_ablation.py."""

KD_FCD = (("ce", 0.5), ("kd", 1.0), ("fcd", 10.0))
"""The best of about thirty fixed directives on validation faces, three trainings each: as many as a search takes."""

FACES: tuple[Curriculum, ...] = (
    Kd(name="fcd"),
    NoTeacher(),
    Mixture(name="kd_fcd", losses=KD_FCD),
    Mixture(name="couple", losses=COUPLE),
    Rco(anchors=4),
)
"""What a learned curriculum is held against; the first is the twin, labels and feature consistency."""
