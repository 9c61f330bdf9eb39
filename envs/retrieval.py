"""Distillation for retrieval: embeddings by which persons are found again, of faces or in re-identification folders.

The persons of training, validation and test differ, so the classifier plays no part in the metric, the mAP of cosine
similarities.
"""

from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.data.retrieval_sources import RetrievalDataConfig
from law_rl.distillation.learner import DistillationConfig, LossTerms
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig

KD_ALONE = LossTerms(ce=0.0, kd=1.0)
"""CCKD's alpha = 0: the student learns from the teacher's logits and not from labels."""

FACES = RetrievalDataConfig(name="faces", image_size=(32, 32))
FACES_TEACHER = TeacherConfig(
    training=ClassificationConfig(
        network=NetworkConfig(name="resnet8", embedding=64),
        optimiser=OptimiserConfig(lr=0.1, schedule="cosine"),
        augment=AugmentConfig(flip=True, crop=2),
        epochs=24,
        precision="bf16",
        channels_last=True,
    ),
    every=8,
)
FACES_STUDENT = DistillationConfig(
    network=NetworkConfig(name="cnn", width=8, embedding=64),
    optimiser=OptimiserConfig(name="adam", lr=0.01, weight_decay=0.0, schedule="cosine"),
    batch_size=40,
    epochs=10,
    stages=1,
    channels_last=True,
    losses=KD_ALONE,
    temperature=4.0,
)

REID_OPTIMISER = OptimiserConfig(lr=3e-4, milestones=(45 / 90, 60 / 90))
REID_AUGMENT = AugmentConfig(flip=True)
REID_TEACHER = TeacherConfig(
    training=ClassificationConfig(
        network=NetworkConfig(name="resnet50", embedding=256),
        optimiser=REID_OPTIMISER,
        augment=REID_AUGMENT,
        batch_size=40,
        epochs=90,
        precision="bf16",
        channels_last=True,
        device="cuda",
    ),
    every=15,
)
REID_STUDENT = DistillationConfig(
    network=NetworkConfig(name="resnet18", embedding=256),
    optimiser=REID_OPTIMISER,
    augment=REID_AUGMENT,
    batch_size=40,
    epochs=90,
    stages=9,
    precision="bf16",
    channels_last=True,
    device="cuda",
    losses=KD_ALONE,
    superclasses=1000,
)


def faces_task() -> DistillationTask:
    """A small CNN of 64-dimensional embeddings learns from a ResNet-8 on 4,522 aligned faces of 433 persons, 32 x 32.

    Batches of 40, as in CCKD. The student's images are not augmented, so the teacher looks at them once. A student
    takes about 8 seconds of a CPU core, the teacher a minute and a half. The first learner raises FileNotFoundError
    where the faces are missing.
    """
    return DistillationTask(data=FACES, teacher=FACES_TEACHER, training=FACES_STUDENT)


def reid_task(root: str) -> DistillationTask:
    """CCKD's re-identification (arXiv 1904.01802) in the folder `root`, laid out as MSMT17 or Market-1501, on a GPU.

    A ResNet-50 teaches a ResNet-18; both embed in 256 dimensions. Batches of 40 images of 256 x 128; SGD at the rate
    3e-4, a tenth of it from epochs 45 and 60 on, of 90. The paper's teacher was pretrained on ImageNet; this one starts
    from random weights and is trained as its student is. Our readings of what is not stated: momentum 0.9, mirrored
    images, temperature 4; 100 training persons are held out for validation.
    """
    data = RetrievalDataConfig(name="reid", root=root, image_size=(256, 128), validation_identities=100)
    return DistillationTask(data=data, teacher=REID_TEACHER, training=REID_STUDENT)
