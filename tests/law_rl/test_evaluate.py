"""Evaluation: paired statistics and the curricula that the data allows."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from law_rl.actions import SampleWeights, TeacherAnchor
from law_rl.actor import TableActor
from law_rl.classification.task import ClassificationTask
from law_rl.data.sources import DataConfig
from law_rl.evaluate import Evaluation, Follow, applicable, check_fits, evaluate
from law_rl.experiment import EVALUATION_SEEDS_FROM, Experiment
from law_rl.jobs import LocalWorkers, TrainingJob, WorkerState
from law_rl.learner import Directive
from law_rl.schedule import Schedule
from law_rl.selection import make_schedule
from law_rl.weighting import LinearTanh
from policies.baselines import Oracle, UniformWeights

VALUES = {"uniform": (70.0, 72.0, 71.5), "learned": (80.0, 83.0, 80.5), "oracle": (90.0, 93.0, 91.0)}


def test_intervals_are_paired_t_intervals() -> None:
    evaluation = Evaluation(metric="accuracy", seeds=(1, 2, 3), values=VALUES)
    differences = np.subtract(VALUES["learned"], VALUES["uniform"])
    half = stats.t.ppf(0.975, 2) * differences.std(ddof=1) / np.sqrt(3)
    gain = evaluation.gain("learned")
    assert (gain.mean, gain.low, gain.high) == pytest.approx(
        (differences.mean(), differences.mean() - half, differences.mean() + half)
    )


def test_the_gap_closed_is_a_ratio_of_mean_gains() -> None:
    evaluation = Evaluation(metric="accuracy", seeds=(1, 2, 3), values=VALUES)
    assert evaluation.gap_closed() == pytest.approx((10 + 11 + 9) / (20 + 21 + 19.5))
    without = Evaluation(metric="accuracy", seeds=(1, 2, 3), values={k: v for k, v in VALUES.items() if k != "oracle"})
    assert without.gap_closed() is None


def test_every_curriculum_is_trained_on_every_unseen_seed(tiny_experiment: Experiment) -> None:
    seen: list[tuple[int, int]] = []
    workers = LocalWorkers(tiny_experiment.setting)
    baselines = (UniformWeights(), Oracle())
    evaluation = evaluate(tiny_experiment, baselines, workers, observer=lambda done, total: seen.append((done, total)))
    assert evaluation.seeds == (EVALUATION_SEEDS_FROM, EVALUATION_SEEDS_FROM + 1)
    assert not set(evaluation.seeds) & set(tiny_experiment.env.seeds)
    assert set(evaluation.values) == {"uniform", "oracle"}
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    learner = tiny_experiment.task.learner(EVALUATION_SEEDS_FROM)
    while learner.stage < learner.stages:
        learner.train_stage(Directive())
    assert evaluation.values["uniform"][0] == learner.evaluate("test")["accuracy"]


def test_a_stopped_evaluation_trains_only_what_is_missing(tiny_experiment: Experiment, tmp_path: Path) -> None:
    baselines, checkpoint = (UniformWeights(), Oracle()), tmp_path / "evaluation.json"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(
            tiny_experiment, baselines, LocalWorkers(tiny_experiment.setting), observer=stop, checkpoint=checkpoint
        )
    seen: list[int] = []
    workers = LocalWorkers(tiny_experiment.setting)
    resumed = evaluate(
        tiny_experiment, baselines, workers, observer=lambda done, total: seen.append(done), checkpoint=checkpoint
    )
    assert seen == [4]
    whole = evaluate(tiny_experiment, baselines, workers, observer=lambda done, total: None)
    assert resumed.values == whole.values
    other = dataclasses.replace(tiny_experiment, env=dataclasses.replace(tiny_experiment.env, warmup=2))
    evaluate(other, baselines, LocalWorkers(other.setting), observer=lambda d, t: seen.append(d), checkpoint=checkpoint)
    assert seen == [4, 1, 2, 3, 4]


def test_baselines_that_must_know_the_wrong_labels_are_left_out_where_nobody_does(
    tiny_experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tiny_experiment.task
    assert isinstance(task, ClassificationTask)
    assert {b.name for b in applicable(tiny_experiment.baselines, tiny_experiment)} >= {"oracle", "small_loss"}
    monkeypatch.setattr("law_rl.classification.learner.ClassificationLearner.mislabelled", None)
    names = {baseline.name for baseline in applicable(tiny_experiment.baselines, tiny_experiment)}
    assert "uniform" in names
    assert not names & {"oracle", "small_loss"}


def test_an_evaluation_follows_the_schedule_as_the_search_did(tiny_experiment: Experiment) -> None:
    state = WorkerState(tiny_experiment.setting)
    actor = tiny_experiment.agent.build(_spec(tiny_experiment)).actor(3)
    from law_rl.jobs import run_episode

    episode = run_episode(state.env, actor, 0)
    schedule = make_schedule(tiny_experiment, actor, [episode])
    follow = Follow(schedule=schedule)
    learner = tiny_experiment.task.learner(0)
    for k in range(learner.stages):
        directive = follow.directive(learner)
        if k < tiny_experiment.env.warmup:
            assert directive == Directive()
        else:
            assert isinstance(directive.weighting, LinearTanh)
            action = [*directive.weighting.weights, directive.weighting.bias]
            assert action == pytest.approx(episode.actions[k - tiny_experiment.env.warmup].tolist())
        learner.train_stage(directive)
    assert learner.evaluate("validation")["accuracy"] == episode.metric
    job = TrainingJob(curriculum=follow, seed=0)
    assert job.run(state) == learner.evaluate("test")["accuracy"]


def test_a_schedule_runs_on_other_data_of_the_same_kind(tiny_experiment: Experiment) -> None:
    clean = dataclasses.replace(tiny_experiment.task, data=DataConfig(name="digits", train=120, validation=60))  # type: ignore[type-var]
    state = WorkerState(tiny_experiment.setting)
    from law_rl.jobs import run_episode

    actor = tiny_experiment.agent.build(_spec(tiny_experiment)).actor(0)
    schedule = make_schedule(tiny_experiment, actor, [run_episode(state.env, actor, 0)])
    other = WorkerState(dataclasses.replace(tiny_experiment.setting, task=clean))
    assert 0 <= TrainingJob(curriculum=Follow(schedule=schedule), seed=1).run(other) <= 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": TeacherAnchor(), "size": 1}, "does not fit tiny: the training has no teacher"),
        ({"action": SampleWeights(features=("margin",))}, "does not fit tiny: the training offers no feature margin"),
        (
            {"memory_decay": 0.5},
            "remembers samples with decay 0.5, tiny with 0.8: add --task.training.memory-decay 0.5",
        ),
        ({"observation": ("validation",)}, "looks at validation data, which an evaluation does not show"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused(
    tiny_experiment: Experiment, changes: dict[str, Any], message: str
) -> None:
    settings = {
        "action": SampleWeights(features=("own_confidence_in_class",)),
        "memory_decay": 0.8,
        "observation": ("progress",),
        "size": 2,
    } | changes
    actor = TableActor(actions=torch.zeros(1, settings.pop("size")))
    with pytest.raises(ValueError, match=message) as raised:
        check_fits(Schedule(actor=actor, stages=4, warmup=1, **settings), tiny_experiment)
    assert "\n" not in str(raised.value)


def test_gains_are_measured_over_the_reference() -> None:
    evaluation = Evaluation(metric="accuracy", seeds=(1, 2, 3), values=VALUES, over="oracle")
    assert evaluation.gain("learned").mean == pytest.approx(-10.1666667)
    assert evaluation.gain("learned", over="uniform").mean == pytest.approx(10.0)
    assert evaluation.to_json()["gain"]["over"] == "oracle"


def _spec(experiment: Experiment):  # type: ignore[no-untyped-def]
    from law_rl.search import agent_spec

    return agent_spec(experiment)
