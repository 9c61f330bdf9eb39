"""The distillation environment under stock code: both checkers, and Stable-Baselines3's own `learn`."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import gymnasium
import gymnasium.utils.env_checker
import numpy as np
import pytest
import stable_baselines3.common.env_checker
import torch
from stable_baselines3 import PPO, TD3

from envs.distillation import ACTION, FEATURES, LOSSES, MOST, WARMUP, distillation, distillation_task
from law_rl.actions import LossWeights, SampleWeights, TeacherAnchor
from law_rl.data.places import TEACHERS
from law_rl.learner import BASELINE
from law_rl.stage_env import StageEnv, StageEnvConfig
from policies.stable_baselines import counter_draws

CONFIG = StageEnvConfig(action=ACTION, warmup=WARMUP, pool=2)


@pytest.fixture(autouse=True, scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield


@pytest.fixture(scope="module")
def env() -> StageEnv:
    """The environment with trainings of three short stages."""
    task = distillation_task()
    return StageEnv(replace(task, training=replace(task.training, epochs=6, stages=3)), CONFIG)


def test_the_checker_of_gymnasium_passes(env: StageEnv) -> None:
    gymnasium.utils.env_checker.check_env(env, skip_render_check=True)


def test_the_checker_of_stable_baselines_passes(env: StageEnv) -> None:
    stable_baselines3.common.env_checker.check_env(env)


def test_stock_algorithms_learn_on_it(env: StageEnv) -> None:
    with counter_draws(0, "test"):
        off_policy = TD3("MlpPolicy", env, learning_starts=2, batch_size=4, buffer_size=100, device="cpu").learn(7)
        on_policy = PPO("MlpPolicy", env, n_steps=4, batch_size=4, n_epochs=1, device="cpu").learn(8)
    assert off_policy._n_updates > 0 and on_policy._n_updates == 2
    for model in (off_policy, on_policy):
        assert all(bool(torch.isfinite(parameter).all()) for parameter in model.policy.parameters())


def test_it_is_made_by_its_registered_name() -> None:
    made = gymnasium.make("envs:law_rl/Distillation-v0").unwrapped
    assert isinstance(made, StageEnv)
    assert made.action_names == (
        *(f"weight of {name}" for name in FEATURES),
        "bias",
        "teacher anchor",
        *(f"loss {term}" for term in MOST),
    )
    assert made.config.warmup == WARMUP and made.task == distillation_task()
    observation, _ = made.reset(seed=0)
    assert made.observation_space.contains(observation)


def episode(env: StageEnv, action: Any, seed: int = 0) -> list[dict[str, Any]]:
    env.reset(seed=seed)
    infos, done = [], False
    while not done:
        _, reward, done, _, info = env.step(np.array(action, np.float32))
        assert np.isfinite(reward) and "failure" not in info
        infos.append(info)
    return infos


def test_the_twins_action_trains_the_twin() -> None:
    env = distillation(config=CONFIG)
    infos = episode(env, ACTION.baseline)
    assert [info["advantage"] for info in infos] == [0.0] * env.task.stages
    twin = env.task.learner(0)
    while twin.stage < twin.stages:
        twin.train_stage(BASELINE)
    assert twin.evaluate("validation")["accuracy"] == infos[-1]["metric"]


def test_every_entry_changes_the_training(env: StageEnv) -> None:
    episode(env, ACTION.baseline)
    usual, twin = ACTION.directive(ACTION.baseline), env.learner.view().ema_loss
    changed = 0
    for k, name in enumerate(ACTION.names):
        for entry in (-1.0, 0.5, 1.0):
            action = [*ACTION.baseline[:k], entry, *ACTION.baseline[k + 1 :]]
            if name != "bias" and ACTION.directive(action) != usual:  # a bias alone weighs all the same
                episode(env, action)
                assert env.learner.view().ema_loss != twin, (name, entry)
                changed += 1
    assert changed >= 14


@pytest.mark.parametrize("entry", [-1.0, 1.0])
def test_trainings_survive_extreme_actions(entry: float) -> None:
    infos = episode(distillation(config=CONFIG), np.full(len(ACTION.names), entry))
    assert all(np.isfinite(info["metric"]) for info in infos)


@pytest.mark.parametrize(
    "action",
    [
        TeacherAnchor(),
        SampleWeights(features=("loss", "teacher_confidence")),
        LossWeights(terms=("kd",), usual=(LOSSES.kd,), most=(LOSSES.kd + 0.1,)),
    ],
)
def test_one_head_is_enough(action: TeacherAnchor | SampleWeights | LossWeights) -> None:
    env = distillation(config=StageEnvConfig(action=action, warmup=2))
    observation, info = env.reset(seed=0)
    assert info["stage"] == 2 and env.observation_space.contains(observation)
    env.step(np.zeros(len(action.names), np.float32))
    assert set(action.features or FEATURES) == set(env.learner.feature_names)


def test_the_teacher_is_better_than_the_student_that_it_teaches() -> None:
    learner = distillation_task().learner(0)
    assert learner.teacher.route.anchors[-1].accuracy is not None
    while learner.stage < learner.stages:
        learner.train_stage(BASELINE)
    assert 60 < learner.evaluate("validation")["accuracy"] < learner.teacher.route.anchors[-1].accuracy


def test_a_task_may_have_other_features() -> None:
    task = distillation_task(features=("loss",))
    assert task.learner(0).feature_names == ("loss",) and task.learner(0).loss_weights == asdict(LOSSES)
    assert distillation_task().teacher == task.teacher
