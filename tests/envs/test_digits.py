"""The digits environment, made tiny, under stock code: both checkers, and Stable-Baselines3's own `learn`."""

from dataclasses import replace
from typing import Any

import gymnasium.utils.env_checker
import numpy as np
import pytest
import stable_baselines3.common.env_checker
import torch
from stable_baselines3 import DDPG, PPO, SAC, TD3

from envs.digits import FEATURES, digits_task, noisy_digits
from law_rl.actions import SampleWeights
from law_rl.observation import LAW_STATE
from law_rl.stage_env import StageEnv, StageEnvConfig
from policies.law import LawConfig, law_model
from policies.stable_baselines import counter_draws, without_logging

CONFIG = StageEnvConfig(action=SampleWeights(features=FEATURES), pool=2)


def tiny(config: StageEnvConfig = CONFIG) -> StageEnv:
    task = digits_task()
    network = replace(task.training.network, width=8, depth=1)
    return StageEnv(replace(task, training=replace(task.training, network=network, epochs=3, stages=3)), config)


@pytest.fixture(scope="module")
def env() -> StageEnv:
    return tiny()


def test_the_checker_of_gymnasium_passes(env: StageEnv) -> None:
    gymnasium.utils.env_checker.check_env(env, skip_render_check=True)


def test_the_checker_of_stable_baselines_passes(env: StageEnv) -> None:
    stable_baselines3.common.env_checker.check_env(env)


@pytest.mark.parametrize("algorithm", [DDPG, TD3, SAC])
def test_stock_off_policy_algorithms_learn_on_it(env: StageEnv, algorithm: Any) -> None:
    settings = {"learning_starts": 2, "batch_size": 4, "buffer_size": 100, "policy_kwargs": {"net_arch": [8]}}
    with counter_draws(0, "test"):
        model = algorithm("MlpPolicy", env, device="cpu", **settings).learn(7)
    assert model.num_timesteps == 7 and model._n_updates > 0
    assert finite(model)


def test_stock_ppo_learns_on_it(env: StageEnv) -> None:
    with counter_draws(0, "test"):
        model = PPO("MlpPolicy", env, n_steps=4, batch_size=4, n_epochs=1, device="cpu").learn(8)
    assert model.num_timesteps == 8 and model._n_updates == 2
    assert finite(model)


def test_law_learns_on_it_by_the_same_call() -> None:
    law_env = tiny(replace(CONFIG, observation=LAW_STATE, reward="law"))
    with counter_draws(0, "test"):
        model = law_model(LawConfig(layers=(8,), batch_size=4), law_env, stages=law_env.task.stages)
        without_logging(model)
        model.learn(6)
    assert model._n_updates == 8 * (0 + 0 + 0 + 1 + 1 + 1)
    assert finite(model)


def finite(model: Any) -> bool:
    return all(bool(torch.isfinite(parameter).all()) for parameter in model.policy.parameters())


def test_noisy_digits_has_named_spaces() -> None:
    env = noisy_digits()
    assert env.action_names == (*(f"weight of {name}" for name in FEATURES), "bias")
    assert env.action_space.shape == (len(env.action_names),) and env.action_space.dtype == np.float32
    assert env.observation_space.shape == (len(env.observation_names),)
