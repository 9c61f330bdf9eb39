"""Every experiment of the project is one that can run: one stage of two iterations on the CPU, by its own agent."""

import importlib
import math
import pkgutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import experiments
from law_rl.classification.optimisation import learning_rate
from law_rl.classification.task import ClassificationTask
from law_rl.experiment import Experiment
from law_rl.search import agent_spec
from law_rl.stage_env import StageEnv
from law_rl.twins import TwinBook

NAMES = sorted(module.name for module in pkgutil.iter_modules(experiments.__path__))


def load(name: str) -> Experiment:
    experiment = importlib.import_module(f"experiments.{name}").experiment
    assert isinstance(experiment, Experiment)
    return experiment


def classification(experiment: Experiment) -> ClassificationTask:
    assert isinstance(experiment.task, ClassificationTask)
    return experiment.task


def require_data(task: ClassificationTask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where the files of the task are missing."""
    if task.data.name == "digits":
        return
    root: Path = request.getfixturevalue("shared_data")
    monkeypatch.setenv("LAW_RL_DATA", str(root))
    labels = root / task.data.noise.labels
    if not (root / task.data.name).is_dir() or not labels.exists():
        pytest.skip(f"no {task.data.name} with the labels {task.data.noise.labels or 'of its own'} in {root}")


def shrink(experiment: Experiment) -> Experiment:
    """The same experiment on the CPU with 200 images, of which a stage takes two batches of two."""
    task = classification(experiment)
    data = replace(task.data, train=200, validation=4)
    training = replace(task.training, device="cpu", batch_size=2, epochs=1, stages=50)
    return replace(experiment, task=replace(task, data=data, training=training), env=replace(experiment.env, warmup=0))


@pytest.mark.parametrize("name", NAMES)
def test_one_stage_runs(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = shrink(load(name))
    require_data(classification(experiment), request, monkeypatch)
    twins = TwinBook(experiment.task, warmup=0, curves={0: (10.0,) * (experiment.task.stages + 1)})
    env = StageEnv(experiment.task, experiment.env, twins)
    observation, _ = env.reset(options={"training_seed": 0})
    before = {key: value.clone() for key, value in env.learner.snapshot()["network"].items()}
    actor = experiment.agent.build(agent_spec(experiment)).actor(0)
    action = actor.act(torch.from_numpy(observation), env.learner.stage)
    observation, reward, terminated, _, info = env.step(action.numpy())
    assert "failure" not in info and not terminated and math.isfinite(reward)
    assert env.observation_space.contains(observation)
    after = env.learner.snapshot()["network"]
    assert all(after[key] == before[key] + 2 for key in after if key.endswith("num_batches_tracked"))
    assert any(not after[key].equal(before[key]) for key in after)
    assert 0.0 <= info["weight_clean"] <= 2.0


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_is_named_like_its_module_and_measures_against_uniform(name: str) -> None:
    experiment = load(name)
    assert experiment.name == name
    assert experiment.env.warmup >= 1
    assert set(experiment.env.action.features) <= set(classification(experiment).training.features)


def test_law_cifar10_has_the_released_schedule() -> None:
    experiment = load("law_cifar10")
    task = classification(experiment)
    training = task.training
    iterations = task.data.train // training.batch_size * training.epochs
    assert (iterations, iterations // training.stages) == (12_000, 300)
    rates = [learning_rate(training.optimiser, stage / training.stages) for stage in (0, 29, 30, 34, 35, 39)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert len(experiment.env.action.names) == 3 and training.network.dropout == 0.0
