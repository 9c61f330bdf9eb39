"""Faces: a small network learns to tell persons apart, from labels and from a larger one trained on the same pictures.

Training, validation and test are of different persons; the metric is the TAR at a false acceptance rate of 1 % over all
pairs. The synthetic drawings need no file and stand for no person; "lfw" are real photographs.
"""

from dataclasses import asdict, replace
from typing import Literal

from law_rl.actions import Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.distillation.teacher import TeacherConfig
from law_rl.face.data.sources import FaceDataConfig
from law_rl.face.heads import HeadConfig
from law_rl.face.learner import FaceConfig, FaceLossTerms
from law_rl.face.relation_config import RelationConfig
from law_rl.face.task import FaceTask
from law_rl.stage_env import StageEnv, StageEnvConfig

Faces = Literal["synthetic", "lfw"]

FEATURES = ("centre_cosine", "teacher_cosine", "margin")
"""Cosine to the own centre, cosine to the teacher's embedding, and margin to the hardest other identity."""

LOSSES = FaceLossTerms(ce=1.0, fcd=10.0)
MOST = {"ce": 4.0, "kd": 4.0, "fcd": 40.0, "rad": 20.0}
"""The largest weights that the policy may give to the terms of the loss."""
ACTION = Heads(
    sample_weights=SampleWeights(features=FEATURES),
    teacher_anchor=TeacherAnchor(),
    loss_weights=LossWeights(
        terms=tuple(MOST), usual=tuple(asdict(LOSSES)[term] for term in MOST), most=tuple(MOST.values())
    ),
)
WARMUP = 0

CHANGED = AugmentConfig(flip=True, crop=3, mask=0.3)
OPTIMISER = OptimiserConfig(name="adam", lr=0.003, weight_decay=0.0, schedule="cosine")
STUDENT = FaceConfig(
    network=NetworkConfig(name="face_cnn", width=8, depth=1, embedding=64, classifier="cosine", scale=16.0),
    optimiser=OPTIMISER,
    epochs=4,
    stages=4,
    features=FEATURES,
    precision="bf16",
    losses=LOSSES,
    head=HeadConfig(name="cosface", margin=0.1),
    relation=RelationConfig(count=50),
)
TEACHER = FaceConfig(
    network=replace(STUDENT.network, width=24, depth=2, scale=24.0),
    optimiser=OPTIMISER,
    augment=AugmentConfig(flip=True, crop=3, mask=0.1),
    epochs=14,
    features=("loss",),
    precision="bf16",
    channels_last=True,
    head=HeadConfig(name="cosface", margin=0.2),
)
LFW = FaceDataConfig(name="lfw", image_size=48, least=3, copies=1, augment=CHANGED)
SYNTHETIC = FaceDataConfig(name="synthetic", image_size=32, copies=1, augment=replace(CHANGED, crop=2))


def face_task(*, data: Faces = "synthetic", features: tuple[str, ...] = FEATURES) -> FaceTask:
    """The student under labels and feature consistency, from the converged teacher, with these features for weights.

    On "lfw" a teacher of 0.5 million parameters, some minutes of training that are done once, teaches one of 0.1
    million on 657 persons.
    """
    student = replace(STUDENT, features=features)
    if data == "lfw":
        return FaceTask(data=LFW, teacher=TeacherConfig(training=TEACHER, every=2), training=student)
    teacher = replace(TEACHER, network=replace(TEACHER.network, width=12), epochs=6)
    return FaceTask(data=SYNTHETIC, teacher=TeacherConfig(training=teacher), training=student)


def face_distillation(*, data: Faces = "synthetic", config: StageEnvConfig | None = None) -> StageEnv:
    """The environment `law_rl/FaceDistillation-v0`, by default with all three heads.

    The first reset on a machine trains the teacher and keeps it, see `teacher_route`. FileNotFoundError at that reset
    where data "lfw" is missing.
    """
    config = config or StageEnvConfig(action=ACTION, warmup=WARMUP)
    return StageEnv(face_task(data=data, features=config.action.features or FEATURES), config)
