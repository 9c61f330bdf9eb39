"""Jobs that train to the end: what they measure, and where the baseline directs."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from law_rl.experiment import Experiment
from law_rl.jobs import MeasureJob, TrainingJob, WorkerState, measure
from law_rl.learner import BASELINE, Directive, Learner
from law_rl.weighting import LinearTanh
from tests.law_rl.tables import task

SUPPRESSING = Directive(weighting=LinearTanh(features=("loss",), weights=(-1.0,), bias=0.0, gain=4.0))


@dataclass(frozen=True)
class Noting:
    """Suppresses large losses, and notes the stages that it was asked for."""

    asked: list[int] = field(default_factory=list)
    name: str = "noting"
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        self.asked.append(learner.stage)
        return SUPPRESSING


@pytest.mark.parametrize("warmup", [0, 2])
def test_a_training_follows_its_curriculum_after_warm_up(warmup: int) -> None:
    curriculum = Noting()
    measured = measure(task(), curriculum, 3, warmup=warmup)
    assert curriculum.asked == list(range(warmup, 4))
    learner, iterations = task().learner(3), 0
    for stage in range(4):
        iterations += learner.train_stage(BASELINE if stage < warmup else SUPPRESSING).iterations
    assert measured.metrics == learner.evaluate("test")
    assert (measured.iterations, measured.failure) == (iterations, "")


def test_jobs_of_a_setting_and_of_a_task_of_their_own_measure_alike(tiny_experiment: Experiment) -> None:
    worker = WorkerState(tiny_experiment.setting)
    accuracy = TrainingJob(curriculum=Noting(), seed=5).run(worker)
    assert (
        MeasureJob(task=tiny_experiment.task, curriculum=Noting(), seed=5).run(worker).metrics["accuracy"] == accuracy
    )
    other = MeasureJob(task=task(batch_size=16), curriculum=Noting(), seed=5).run(worker)
    assert other.metrics == measure(task(batch_size=16), Noting(), 5, warmup=1).metrics
    assert other.metrics["loss"] != measure(task(), Noting(), 5, warmup=1).metrics["loss"]
