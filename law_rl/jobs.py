"""Jobs: the pieces of work that a search and an evaluation hand to workers, each a whole training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import Episode
from law_rl.failures import JobFailed, Place, TrainingRaised, located
from law_rl.learner import BASELINE, Directive, Learner, Task
from law_rl.stage_env import StageEnv, StageEnvConfig
from law_rl.stage_weights import WeightSummary
from law_rl.twins import Curve, TwinBook, train_twin

TWIN, EPISODE = "twin", "episode"


class Curriculum(Protocol):
    """A way of directing a whole training: a hand-made baseline or a schedule."""

    @property
    def name(self) -> str: ...

    @property
    def needs_mislabelled(self) -> bool:
        """Whether it must be told which labels are wrong."""
        ...

    def directive(self, learner: Learner) -> Directive:
        """The directive of the learner's next stage."""
        ...


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all jobs of a run have in common."""

    task: Task
    env: StageEnvConfig


@dataclass(frozen=True, kw_only=True)
class TwinJob:
    """Trains the twin of a seed; the result is its curve."""

    seed: int

    def run(self, worker: "WorkerState") -> Curve:
        with located(Place(TWIN, self.seed)) as place:
            return train_twin(worker.setting.task, self.seed, place)


@dataclass(frozen=True, kw_only=True)
class EpisodeJob:
    """Runs one episode of the environment; the result is an Episode."""

    actor: TableActor | MlpActor
    training_seed: int
    curves: Mapping[int, Curve]

    def run(self, worker: "WorkerState") -> Episode:
        worker.env.twins.add(self.curves)
        return run_episode(worker.env, self.actor, self.training_seed)


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """Trains a seed under a curriculum; the result is the metric on the test split, read once, in points."""

    curriculum: Curriculum
    seed: int

    def run(self, worker: "WorkerState") -> float:
        setting = worker.setting
        measured = measure(setting.task, self.curriculum, self.seed, warmup=setting.env.warmup)
        return measured.metrics[setting.task.metric]


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """Trains a seed of a task, which need not be the setting's, under a curriculum; the result is a Measurement."""

    task: Task
    curriculum: Curriculum
    seed: int

    def run(self, worker: "WorkerState") -> "Measurement":
        return measure(self.task, self.curriculum, self.seed, warmup=worker.setting.env.warmup)


Job = TwinJob | EpisodeJob | TrainingJob | MeasureJob


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """All metrics of one training on the test split, read once at its end, and the iterations that it took.

    `failure` says why training could not go on (empty: it went to its end).
    """

    metrics: Mapping[str, float]
    iterations: int
    failure: str = ""


def measure(task: Task, curriculum: Curriculum, seed: int, *, warmup: int) -> Measurement:
    """Trains a seed under a curriculum after `warmup` stages under the twin's directive.

    TrainingRaised says where it raised.
    """
    with located(Place(curriculum.name, seed)) as place:
        learner = task.learner(seed)
        iterations, failure = 0, ""
        while learner.stage < learner.stages and not failure:
            place.stage = learner.stage
            warm = learner.stage < warmup
            report = learner.train_stage(BASELINE if warm else curriculum.directive(learner))
            iterations, failure = iterations + report.iterations, report.failure
        return Measurement(metrics=learner.evaluate("test"), iterations=iterations, failure=failure)


class WorkerState:
    """What a worker keeps between jobs: the environment, its data and the learners' states after warm-up."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        twins = TwinBook(setting.task, warmup=setting.env.warmup)
        self.env = StageEnv(setting.task, setting.env, twins)

    def run(self, job: Job) -> Any:
        return job.run(self)


class Workers(Protocol):
    """Runs jobs side by side, in any order."""

    def submit(self, key: str, job: Job) -> None: ...

    def results(self) -> Iterator[tuple[str, Any]]:
        """Yields (key, result) as jobs end, until none is left."""
        ...


class LocalWorkers:
    """Runs jobs one after the other in this process."""

    def __init__(self, setting: Setting) -> None:
        self._state = WorkerState(setting)
        self._queue: list[tuple[str, Job]] = []

    def submit(self, key: str, job: Job) -> None:
        self._queue.append((key, job))

    def results(self) -> Iterator[tuple[str, Any]]:
        while self._queue:
            key, job = self._queue.pop(0)
            try:
                result = self._state.run(job)
            except TrainingRaised as error:
                raise JobFailed(f"{key} raised: {error}", error.failure) from error
            yield key, result


def run_episode(env: StageEnv, actor: TableActor | MlpActor, training_seed: int) -> Episode:
    """One training of the environment under an actor; TrainingRaised says where it raised."""
    with located(Place(EPISODE, training_seed)) as place:
        return _run_episode(env, actor, place)


def _run_episode(env: StageEnv, actor: TableActor | MlpActor, place: Place) -> Episode:
    observation, info = env.reset(options={"training_seed": place.training_seed})
    observations, actions, rewards = [torch.from_numpy(observation)], [], []
    weights: list[WeightSummary] = []
    terminated = False
    while not terminated:
        action = actor.act(observations[-1], env.learner.stage)
        place.stage = env.learner.stage
        place.actions.append(tuple(action.tolist()))
        observation, reward, terminated, _, info = env.step(action.numpy())
        observations.append(torch.from_numpy(observation))
        actions.append(action)
        rewards.append(reward)
        weights.append(env.weights)
    return Episode(
        training_seed=place.training_seed,
        observations=torch.stack(observations),
        actions=torch.stack(actions),
        rewards=torch.tensor(rewards),
        metric=info["metric"],
        twin_metric=info["twin_metric"],
        failure=info.get("failure", ""),
        weight_clean=torch.tensor([summary.clean for summary in weights]),
        weight_mislabelled=torch.tensor([summary.mislabelled for summary in weights]),
        weight_by_loss=torch.tensor([summary.by_loss for summary in weights]),
    )
