"""Handwritten digits with some wrong labels: a wide network teaches one of eight hidden units from a hundred images.

The teacher trains on all 697 images until it knows their wrong labels by heart (its validation accuracy is best near a
third of its route); the student sees 100 of them. A training takes about a tenth of a second.
"""

from dataclasses import asdict, replace

from law_rl.actions import Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.noise import NoiseConfig
from law_rl.data.sources import DataConfig
from law_rl.distillation.learner import DistillationConfig, LossTerms
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig
from law_rl.stage_env import StageEnv, StageEnvConfig

DATA = DataConfig(name="digits", train=697, validation=600, noise=NoiseConfig(kind="uniform", rate=0.2))
TRANSFER = 100
TEACHER = TeacherConfig(
    training=ClassificationConfig(
        network=NetworkConfig(name="mlp", width=256, depth=2, embedding=16),
        optimiser=OptimiserConfig(lr=0.01, weight_decay=0.0, schedule="constant"),
        epochs=40,
    )
)
FEATURES = ("own_confidence_in_class", "own_agreement")
LOSSES = LossTerms(ce=0.0, kd=1.0)
MOST = {"ce": 0.5, "kd": 2.0, "cc": 10.0}
"""The largest weights that the policy may give to the terms of the loss."""
STUDENT = DistillationConfig(
    network=NetworkConfig(name="mlp", width=8, depth=1, embedding=16),
    optimiser=OptimiserConfig(name="adam", lr=0.02, weight_decay=0.0, schedule="cosine"),
    epochs=40,
    stages=8,
    features=FEATURES,
    memory_decay=0.6,
    losses=LOSSES,
    temperature=2.0,
)
ACTION = Heads(
    sample_weights=SampleWeights(features=FEATURES),
    teacher_anchor=TeacherAnchor(),
    loss_weights=LossWeights(
        terms=tuple(MOST), usual=tuple(asdict(LOSSES)[term] for term in MOST), most=tuple(MOST.values())
    ),
)
WARMUP = 0


def distillation_task(*, features: tuple[str, ...] = FEATURES) -> DistillationTask:
    """The student under Hinton's distillation from the converged teacher, 40 epochs in 8 stages, with these features
    for sample weights.
    """
    return DistillationTask(data=DATA, teacher=TEACHER, training=replace(STUDENT, features=features), transfer=TRANSFER)


def distillation(*, config: StageEnvConfig | None = None) -> StageEnv:
    """The environment `law_rl/Distillation-v0`, by default with all three heads.

    The first reset on a machine trains the teacher for some seconds and keeps it, see `teacher_route`.
    """
    config = config or StageEnvConfig(action=ACTION, warmup=WARMUP)
    return StageEnv(distillation_task(features=config.action.features or FEATURES), config)
