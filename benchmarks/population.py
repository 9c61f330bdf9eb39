"""Population-based training (Jaderberg et al. 2017, 1711.09846) of sample weightings, by Ray Tune."""

import logging
import os
import random
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from benchmarks.running import Bar, bar
from law_rl.actor import TableActor
from law_rl.counters import counter_seed, numpy_generator
from law_rl.experiment import Experiment
from law_rl.jobs import Setting
from law_rl.learner import BASELINE, Learner
from law_rl.twins import Curve

FAILED = -100.0


@dataclass(frozen=True, kw_only=True)
class PopulationConfig:
    """A population whose members each are one training; after each stage the last quarter copies one of the first.

    The copy takes over network, training seed and the actions so far, and moves the action by a normal step of `step`.
    """

    quantile: float = 0.25
    step: float = 0.3


class Stages(tune.Callback):
    """Shows how many stages the population has trained."""

    def __init__(self, line: Bar) -> None:
        self._line, self._done = line, 0

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its callbacks to the disk, where a terminal has no place."""
        return {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        self._done += 1
        self._line.show(self._done)


class Member(tune.Trainable):
    """One training whose action is a hyperparameter; an iteration is a stage."""

    def setup(self, config: dict[str, Any], setting: Setting, curves: Mapping[int, Curve]) -> None:  # type: ignore[override]
        torch.set_num_threads(1)
        self._setting, self._curves = setting, curves
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        member = new_config["member"]
        self._seed, self._action = member["seed"], member["action"]
        self._history: list[list[float]] = []
        self._learner: Learner | None = None
        return True

    def step(self) -> dict[str, Any]:
        learner = self._learner = self._learner or self._warm_learner()
        report = learner.train_stage(self._setting.env.action.directive(self._action))
        self._history = [*self._history, self._action]
        metric = learner.evaluate("validation")[learner.metric]
        advantage = FAILED if report.failure else metric - self._curves[self._seed][learner.stage]
        return {"advantage": advantage, "history": self._history}

    def _warm_learner(self) -> Learner:
        learner = self._setting.task.learner(self._seed)
        for _ in range(self._setting.env.warmup):
            learner.train_stage(BASELINE)
        return learner

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        assert self._learner is not None, "Ray saves members that have trained"
        return {"seed": self._seed, "history": self._history, "learner": self._learner.snapshot()}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        assert checkpoint is not None, "members save themselves as values"
        self._seed, self._history = checkpoint["seed"], checkpoint["history"]
        self._learner = self._setting.task.learner(self._seed)
        self._learner.restore(checkpoint["learner"])


def train_population(
    experiment: Experiment, config: PopulationConfig, curves: Mapping[int, Curve], text: str
) -> list[TableActor]:
    """The search's candidates, best first: actions of the members that end furthest above their twins.

    As many members as the search has exploring episodes, on a Ray that runs already. The first actions, the steps and,
    through Python's generator, Ray's choices are seeded from the search's seed; members meet after every stage, so that
    their timing decides nothing else.
    """
    seed, setting = experiment.search.seed, experiment.setting
    random.seed(counter_seed(seed, "population"))
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # its tables would tear the progress bar
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    size = experiment.search.episodes - experiment.search.candidates * experiment.env.pool
    stages = experiment.task.stages - experiment.env.warmup
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings(), bar(text, size * stages) as line:
        warnings.simplefilter("ignore")
        tuner = tune.Tuner(
            tune.with_parameters(Member, setting=setting, curves=dict(curves)),
            param_space={"member": tune.grid_search(first_members(experiment, size))},
            tune_config=tune.TuneConfig(
                metric="advantage",
                mode="max",
                scheduler=scheduler(config, seed),
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                storage_path=directory,
                verbose=0,
                stop={"training_iteration": stages},
                callbacks=[Stages(line)],
            ),
        )
        grid = tuner.fit()
        members = [grid[place].metrics or {} for place in range(len(grid))]
    if grid.errors:
        raise grid.errors[0]
    members.sort(key=lambda metrics: -metrics["advantage"])
    return [actor_of(metrics["history"], experiment.env.warmup) for metrics in members[: experiment.search.candidates]]


def first_members(experiment: Experiment, size: int) -> list[dict[str, Any]]:
    """Training seeds of the pool in turn, and uniformly random actions."""
    seeds, entries = experiment.env.seeds, len(experiment.env.action.names)
    generator = numpy_generator(experiment.search.seed, "population's first actions")
    actions = generator.uniform(-1.0, 1.0, (size, entries)).tolist()
    return [{"seed": seeds[place % len(seeds)], "action": action} for place, action in enumerate(actions)]


def scheduler(config: PopulationConfig, seed: int) -> PopulationBasedTraining:
    generator = numpy_generator(seed, "population's steps")

    def explore(hyperparameters: dict[str, Any]) -> dict[str, Any]:
        member = hyperparameters["member"]
        moved = [min(max(entry + config.step * generator.normal(), -1.0), 1.0) for entry in member["action"]]
        return hyperparameters | {"member": member | {"action": [float(entry) for entry in moved]}}

    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=1,
        quantile_fraction=config.quantile,
        custom_explore_fn=explore,
        log_config=False,
        synch=True,
    )


def actor_of(history: list[list[float]], warmup: int) -> TableActor:
    """The table of a member's actions; rows of the warm-up stages, which nobody reads, repeat the first."""
    return TableActor(actions=torch.tensor([history[0]] * warmup + history))
