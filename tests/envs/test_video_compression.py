"""The video environment under stock code, on few clips: both checkers, Stable-Baselines3, what actions do."""

from dataclasses import replace
from typing import Any

import gymnasium
import gymnasium.utils.env_checker
import numpy as np
import pytest
import stable_baselines3.common.env_checker
import torch
from stable_baselines3 import TD3

from envs.video_compression import ACTION, FEATURES, WARMUP, video_compression, video_task
from law_rl.compression.video.task import VideoTask
from law_rl.learner import BASELINE
from law_rl.stage_env import StageEnv, StageEnvConfig
from policies.stable_baselines import counter_draws
from tests.law_rl.compression.video.crop_trainings import NETWORK

CONFIG = StageEnvConfig(action=ACTION, warmup=WARMUP, pool=2)


def small(task: VideoTask) -> VideoTask:
    """The task on few clips, with a small network and three short stages."""
    training = replace(task.training, network=NETWORK, epochs=3, stages=3, batch_size=4)
    return replace(task, data=replace(task.data, frames=3, train=4, validation=2, test=2), training=training)


@pytest.fixture(scope="module")
def env() -> StageEnv:
    return StageEnv(small(video_task()), CONFIG)


def test_the_checker_of_gymnasium_passes(env: StageEnv) -> None:
    gymnasium.utils.env_checker.check_env(env, skip_render_check=True)


def test_the_checker_of_stable_baselines_passes(env: StageEnv) -> None:
    stable_baselines3.common.env_checker.check_env(env)


def test_a_stock_algorithm_learns_on_it(env: StageEnv) -> None:
    with counter_draws(0, "test"):
        model = TD3("MlpPolicy", env, learning_starts=2, batch_size=4, buffer_size=100, device="cpu").learn(7)
    assert model._n_updates > 0
    assert all(bool(torch.isfinite(parameter).all()) for parameter in model.policy.parameters())


def test_it_is_made_by_its_registered_name() -> None:
    made = gymnasium.make("envs:law_rl/VideoCompression-v0").unwrapped
    assert isinstance(made, StageEnv) and made.config.action == ACTION
    assert made.task == video_task() and made.task.metric == "rd_db"
    assert made.action_names[: len(FEATURES)] == tuple(f"weight of {name}" for name in FEATURES)
    assert video_compression(data="bsds").task == video_task(data="bsds")


def episode(env: StageEnv, action: Any, seed: int = 0) -> list[dict[str, Any]]:
    env.reset(seed=seed)
    infos, done = [], False
    while not done:
        _, reward, done, _, info = env.step(np.array(action, np.float32))
        assert np.isfinite(reward) and "failure" not in info
        infos.append(info)
    return infos


def test_the_twins_action_trains_the_twin(env: StageEnv) -> None:
    infos = episode(env, ACTION.baseline)
    assert [info["advantage"] for info in infos] == [0.0] * 3
    twin = env.task.learner(0)
    while twin.stage < twin.stages:
        twin.train_stage(BASELINE)
    assert twin.evaluate("validation")[env.task.metric] == infos[-1]["metric"]


def test_every_entry_changes_the_training(env: StageEnv) -> None:
    """Where a feature weighs something a bias does too."""
    weighed = [0.5, *ACTION.baseline[1:]]
    usual = episode(env, weighed)[-1]["metric"]
    for k in range(len(ACTION.names)):
        assert episode(env, [*weighed[:k], 0.7, *weighed[k + 1 :]])[-1]["metric"] != usual, ACTION.names[k]


@pytest.mark.parametrize("entry", [-1.0, 1.0])
def test_trainings_survive_extreme_actions(env: StageEnv, entry: float) -> None:
    assert all(0 <= info["metric"] <= 100 for info in episode(env, np.full(len(ACTION.names), entry)))


def test_an_episode_goes_on_from_a_snapshot(env: StageEnv) -> None:
    env.reset(seed=1)
    action = np.linspace(-0.5, 0.5, len(ACTION.names)).astype(np.float32)
    env.step(action)
    snapshot = env.snapshot()
    ends = []
    for _ in range(2):
        env.restore(snapshot)
        ends.append(env.step(action)[:2])
    assert np.array_equal(ends[0][0], ends[1][0]) and ends[0][1] == ends[1][1]
