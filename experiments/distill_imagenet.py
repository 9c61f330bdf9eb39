"""ImageNet (1904.01802, table 2; 1904.09149): ResNet-50 teaches MobileNetV2 x0.5, rows of 150 epochs, on a large GPU.

$LAW_RL_IMAGENET names the folder that holds train/<class>/ and val/<class>/. CCKD's paper has 64.2 % for labels alone,
66.7 % for KD and 67.7 % for CCKD, RCO's abstract 1.5 points above KD. As printed: batches of 1,024, SGD at 0.4, divided
by 10 after 50, 80 and 120 epochs, weight decay 5e-4, no dropout, a temperature within 4 to 8, a layer of 128 in both
networks. Not as printed: images of 128 pixels, mirrored and shifted by 16 (the paper's cuts and scales are not
known, scaling is not among our augmentations); one GPU instead of 16; the weight of correlation congruence.

Decoded images stay in memory, of the host and of the GPU: 1,281,167 + 50,000 of 3 x 128 x 128 bytes are 65 GB in each
(at 224 pixels 200 GB, more than a GPU has). So run it with one worker, on a GPU of 120 GB or more. These are 12
trainings of 184,000 iterations and one of the teacher: weeks of one GPU, we estimate. This table has not been made.
"""

import os

from envs.cifar_distillation import CONGRUENCE
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.data.sources import DataConfig
from law_rl.distillation.learner import DistillationConfig, LossTerms
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig
from law_rl.experiment import EvaluationConfig
from law_rl.table import Row, Table
from policies.distillation import Kd, Mixture, NoTeacher, Rco

ROOT = os.environ.get("LAW_RL_IMAGENET", "imagenet")
PIXELS = 128
EPOCHS, STAGES = 150, 10
OPTIMISER = OptimiserConfig(lr=0.4, weight_decay=5e-4, milestones=(50 / EPOCHS, 80 / EPOCHS, 120 / EPOCHS))
AUGMENT = AugmentConfig(flip=True, crop=16)
CCKD = (("kd", 1.0), ("cc", CONGRUENCE))
TASK = DistillationTask(
    data=DataConfig(name="folder", root=ROOT, image_size=PIXELS, validation=25_000),
    teacher=TeacherConfig(
        training=ClassificationConfig(
            network=NetworkConfig(name="resnet50", embedding=128),
            optimiser=OPTIMISER,
            augment=AUGMENT,
            batch_size=1024,
            epochs=EPOCHS,
            precision="bf16",
            channels_last=True,
            device="cuda",
        ),
        every=EPOCHS // STAGES,
    ),
    training=DistillationConfig(
        network=NetworkConfig(name="mobilenetv2_x0_5", embedding=128),
        optimiser=OPTIMISER,
        augment=AUGMENT,
        batch_size=1024,
        epochs=EPOCHS,
        stages=STAGES,
        precision="bf16",
        channels_last=True,
        device="cuda",
        losses=LossTerms(ce=0.0, kd=1.0),
        temperature=4.0,
    ),
)

table = Table(
    name="distill_imagenet",
    title="Distillation on ImageNet: ResNet-50 to MobileNetV2 x0.5, 150 epochs each",
    rows=(
        Row(name="no_teacher", task=TASK, curriculum=NoTeacher()),
        Row(name="kd", task=TASK, curriculum=Kd(), over=""),
        Row(name="rco_5", task=TASK, curriculum=Rco(anchors=5, name="rco_5")),
        Row(name="cckd", task=TASK, curriculum=Mixture(name="cckd", losses=CCKD)),
    ),
    evaluation=EvaluationConfig(seeds=3),
)
