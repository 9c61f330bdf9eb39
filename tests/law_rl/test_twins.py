"""Twins: trained once a seed, and learners as they stand after warm-up."""

import torch

from law_rl.experiment import Experiment
from law_rl.learner import BASELINE
from law_rl.twins import TwinBook, train_twin


def test_a_curve_has_one_entry_a_stage_and_one_before(tiny_experiment: Experiment) -> None:
    curve = train_twin(tiny_experiment.task, 0)
    learner = tiny_experiment.task.learner(0)
    expected = [learner.evaluate("validation")["accuracy"]]
    for _ in range(learner.stages):
        learner.train_stage(BASELINE)
        expected.append(learner.evaluate("validation")["accuracy"])
    assert list(curve) == expected


def test_curves_are_trained_once(tiny_experiment: Experiment) -> None:
    book = TwinBook(tiny_experiment.task, warmup=1)
    assert book.curve(1) is book.curve(1)
    assert book.trained == 1
    book.add({7: (1.0, 2.0)})
    assert book.curve(7) == (1.0, 2.0)
    assert book.trained == 1


def test_the_mean_curve_is_the_mean_of_each_entry(tiny_experiment: Experiment) -> None:
    book = TwinBook(tiny_experiment.task, warmup=0, curves={0: (1.0, 5.0), 1: (3.0, 6.0)})
    assert book.mean_curve((0, 1)) == (2.0, 5.5)


def test_a_warm_learner_is_the_same_trained_or_restored(tiny_experiment: Experiment) -> None:
    book = TwinBook(tiny_experiment.task, warmup=2)
    for _ in range(3):
        warm = book.warm_learner(0)
        assert warm.stage == 2
        fresh = tiny_experiment.task.learner(0)
        for _ in range(2):
            fresh.train_stage(BASELINE)
        for name, tensor in fresh.snapshot()["network"].items():
            assert torch.equal(tensor, warm.snapshot()["network"][name])
        warm.train_stage(BASELINE)
