"""Routes and correlation congruence on 10,000 images of CIFAR-100, small enough for two CPU cores: ResNet-14 to an MLP.

The teacher takes about six minutes of one core, once, and reaches 34.5 % on validation data; each of the 72 trainings
takes about eight seconds. The student's optimiser and learning rate, the temperature and the weights of labels and of
correlation congruence were the best of a few for KD or CCKD on validation data, on one to three seeds; nothing was
tried for routes. KD at temperatures 4, 2 and 1 reached 18.1, 18.2 and 19.0 %. `no_teacher_slow` has the learning rate
that was best for labels alone.
"""

from dataclasses import asdict, replace

from envs.cifar_distillation import CONGRUENCE, LOSSES, small_task
from law_rl.experiment import EvaluationConfig
from law_rl.table import Row, Table
from policies.distillation import Kd, Mixture, NoTeacher, Rco, routes

TASK = small_task()
SLOW = replace(
    TASK, training=replace(TASK.training, optimiser=replace(TASK.training.optimiser, lr=TASK.training.optimiser.lr / 4))
)
CCKD = tuple((asdict(LOSSES) | {"cc": CONGRUENCE}).items())

table = Table(
    name="distill_cifar100_small",
    title="Distillation on 10,000 images of CIFAR-100: ResNet-14 to an MLP",
    rows=(
        Row(name="kd", task=TASK, curriculum=Kd(), over=""),
        Row(name="no_teacher", task=TASK, curriculum=NoTeacher()),
        Row(
            name="no_teacher_slow",
            task=SLOW,
            curriculum=NoTeacher(name="no_teacher_slow"),
            note="a quarter of the learning rate",
        ),
        *(Row(name=rco.name, task=TASK, curriculum=rco) for rco in routes()),
        Row(name="cckd", task=TASK, curriculum=Mixture(name="cckd", losses=CCKD)),
        Row(
            name="cckd_class_uniform",
            task=small_task(sampler="class_uniform"),
            curriculum=Mixture(name="cckd", losses=CCKD),
            note="batches of 4 of each of 16 classes",
        ),
        Row(name="rco_4_cckd", task=TASK, curriculum=Rco(anchors=4, losses=CCKD, name="rco_4_cckd")),
    ),
    evaluation=EvaluationConfig(seeds=8),
)
