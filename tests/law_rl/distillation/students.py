"""Tiny students of digits, for the tests that train one."""

from dataclasses import replace
from typing import Any

from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.sources import DataConfig
from law_rl.distillation.learner import DistillationConfig, LossTerms
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig

TASK = DistillationTask(
    data=DataConfig(train=96, validation=50),
    teacher=TeacherConfig(
        training=ClassificationConfig(network=NetworkConfig(width=16, depth=1), epochs=4, batch_size=32)
    ),
    training=DistillationConfig(
        network=NetworkConfig(width=6, depth=1),
        optimiser=OptimiserConfig(lr=0.02),
        epochs=4,
        stages=4,
        batch_size=32,
        losses=LossTerms(ce=0.1, kd=0.9, hint=0.01, cc=1.0),  # so that there is an adapter
    ),
)
"""Four anchors, four stages."""


def trained(task: DistillationTask, **changes: Any) -> DistillationTask:
    """The task with changes to the student's training."""
    return replace(task, training=replace(task.training, **changes))
