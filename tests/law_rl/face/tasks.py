"""Tiny face trainings on drawings, for the tests that train one."""

from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.distillation.teacher import TeacherConfig
from law_rl.face.data.sources import FaceDataConfig
from law_rl.face.learner import FaceConfig, FaceLossTerms
from law_rl.face.relation_config import RelationConfig
from law_rl.face.task import FaceTask


def network(width: int) -> NetworkConfig:
    return NetworkConfig(name="face_cnn", width=width, embedding=8, classifier="cosine", scale=16.0)


TASK = FaceTask(
    data=FaceDataConfig(image_size=16, most=2, validation_identities=170, test_identities=200),
    teacher=TeacherConfig(training=FaceConfig(network=network(4), epochs=2, batch_size=50), every=1),
    training=FaceConfig(
        network=network(2),
        optimiser=OptimiserConfig(lr=0.05),
        epochs=2,
        stages=2,
        batch_size=50,
        features=("centre_cosine", "teacher_cosine"),
        losses=FaceLossTerms(ce=1.0, fcd=1.0),
        relation=RelationConfig(count=5),
    ),
)
"""30 persons of 10 images to train on, 200 of 2 to test on; two anchors, two stages."""
