"""RCO's gain over KD on CIFAR-100 (1904.09149): ResNet-50 teaches MobileNetV2 x0.5, rows of 240 epochs, on one GPU.

The paper's abstract has RCO 2.14 points above KD. Its settings were not available: those of
`envs.cifar_distillation.rco_task` are our reading. All anchors share one training and its learning rates, so no row
takes longer than KD does; the form with a training per anchor is not here.

These are 25 trainings of 169,000 iterations and one of the teacher, which sees every batch of all rows but one: a day
or two of one GPU, we estimate. This table has not been made.
"""

from envs.cifar_distillation import rco_task
from law_rl.experiment import EvaluationConfig
from law_rl.table import Row, Table
from policies.distillation import Kd, NoTeacher, routes

TASK = rco_task()

table = Table(
    name="rco_cifar100",
    title="Routes on CIFAR-100: ResNet-50 to MobileNetV2 x0.5, 240 epochs each",
    rows=(
        Row(name="no_teacher", task=TASK, curriculum=NoTeacher()),
        Row(name="kd", task=TASK, curriculum=Kd(), over=""),
        *(Row(name=rco.name, task=TASK, curriculum=rco) for rco in routes()),
    ),
    evaluation=EvaluationConfig(seeds=5),
)
