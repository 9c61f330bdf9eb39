"""The stage environment: checkers, rewards, seeds, snapshots, and trainings that fail."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from law_rl.actions import Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.places import TEACHERS
from law_rl.distillation.learner import DistillationConfig
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig
from law_rl.experiment import Experiment
from law_rl.files import load_tree, save_tree
from law_rl.learner import BASELINE
from law_rl.observation import ENTRIES, FOLLOWER, LAW_STATE
from law_rl.stage_env import StageEnv, StageEnvConfig
from law_rl.twins import TwinBook, train_twin


@pytest.fixture
def task(tiny_experiment: Experiment) -> ClassificationTask:
    assert isinstance(tiny_experiment.task, ClassificationTask)
    return tiny_experiment.task


@pytest.fixture
def config(tiny_experiment: Experiment) -> StageEnvConfig:
    return tiny_experiment.env


def run(env: StageEnv, actions: np.ndarray, **reset: object) -> list[tuple[np.ndarray, float, dict[str, object]]]:
    env.reset(**reset)  # type: ignore[arg-type]
    steps = []
    for action in actions:
        observation, reward, _, _, info = env.step(action)
        steps.append((observation, reward, info))
    return steps


def some_actions(env: StageEnv, seed: int = 0) -> np.ndarray:
    stages = env.task.stages - env.config.warmup
    return np.random.default_rng(seed).uniform(-1, 1, (stages, len(env.action_names))).astype(np.float32)


@pytest.mark.parametrize("observation", [FOLLOWER, LAW_STATE, tuple(ENTRIES)])
@pytest.mark.parametrize("reward", ["increment", "law", "raw", "minus_stored", "minus_own_average"])
def test_both_checkers_pass(task: ClassificationTask, config: StageEnvConfig, observation: object, reward: str) -> None:
    env = StageEnv(task, dataclasses.replace(config, observation=observation, reward=reward))
    gymnasium_check(env, skip_render_check=True)
    sb3_check(env)


def test_it_is_made_by_its_registered_name() -> None:
    env = gymnasium.make("envs:law_rl/NoisyDigits-v0", noise=0.4)
    assert isinstance(env.unwrapped, StageEnv)
    assert env.unwrapped.observation_names == FOLLOWER
    assert env.action_space.shape == (len(env.unwrapped.action_names),)


def test_uniform_actions_train_the_twin(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, config)
    for _, reward, info in run(env, 0 * some_actions(env), seed=1):
        assert reward == 0.0
        assert info["advantage"] == 0.0
        assert info["metric"] == info["twin_metric"]


def test_the_return_of_increments_is_the_final_advantage(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, config)
    steps = run(env, some_actions(env), seed=0)
    assert math.fsum(reward for _, reward, _ in steps) == pytest.approx(steps[-1][2]["advantage"])


def test_the_twin_is_the_training_under_the_baseline(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, config)
    curve = train_twin(task, 1)
    assert [info["twin_metric"] for _, _, info in run(env, some_actions(env), seed=1)] == list(curve[2:])
    assert len(curve) == task.stages + 1


def test_a_given_twin_is_not_trained_again(task: ClassificationTask, config: StageEnvConfig) -> None:
    curves = {seed: train_twin(task, seed) for seed in config.seeds}
    book = TwinBook(task, warmup=config.warmup, curves=curves)
    env = StageEnv(task, config, book)
    run(env, some_actions(env), seed=0)
    assert book.trained == 0


def test_resync_pays_for_the_stage_alone(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, dataclasses.replace(config, resync_twin="stage"))
    env.reset(seed=0)
    fork = env.learner.fork()
    fork.train_stage(BASELINE)
    action = some_actions(env)[0]
    _, reward, _, _, info = env.step(action)
    assert reward == pytest.approx(info["metric"] - fork.evaluate("validation")["accuracy"])


def test_seeds_choose_from_the_pool(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, dataclasses.replace(config, pool=3, first_seed=10))
    assert [env.reset(seed=seed)[1]["training_seed"] for seed in range(5)] == [10, 11, 12, 10, 11]
    drawn = {env.reset()[1]["training_seed"] for _ in range(20)}
    assert drawn <= {10, 11, 12}
    assert len(drawn) > 1
    assert env.reset(options={"training_seed": 77})[1]["training_seed"] == 77


def test_reset_without_a_seed_follows_np_random(task: ClassificationTask, config: StageEnvConfig) -> None:
    draws = []
    for _ in range(2):
        env = StageEnv(task, dataclasses.replace(config, pool=5))
        env.reset(seed=3)
        draws.append([env.reset()[1]["training_seed"] for _ in range(8)])
    assert draws[0] == draws[1]


def test_a_snapshot_goes_on_bit_for_bit(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, dataclasses.replace(config, observation=tuple(ENTRIES)))
    actions = some_actions(env)
    env.reset(seed=1)
    env.step(actions[0])
    snapshot = env.snapshot()
    expected = [env.step(action)[:4] for action in actions[1:]]
    seeds = [env.reset()[1]["training_seed"] for _ in range(5)]
    other = StageEnv(task, env.config)
    other.reset(seed=0)
    for target in (env, other):
        observation = target.restore(snapshot)
        assert observation.dtype == np.float32
        for action, before in zip(actions[1:], expected, strict=True):
            after = target.step(action)[:4]
            np.testing.assert_array_equal(after[0], before[0])
            assert after[1:] == before[1:]
        assert [target.reset()[1]["training_seed"] for _ in range(5)] == seeds


@pytest.fixture
def distillation(task: ClassificationTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DistillationTask:
    """A student of 8 dimensions and a teacher of 5."""
    monkeypatch.setenv(TEACHERS, str(tmp_path / "teachers"))
    teacher = ClassificationConfig(network=NetworkConfig(width=16, embedding=5), epochs=4, batch_size=32)
    training = DistillationConfig(
        network=NetworkConfig(width=8, depth=1),
        optimiser=OptimiserConfig(lr=0.02),
        epochs=4,
        stages=4,
        batch_size=32,
        features=("teacher_divergence", "own_confidence_in_class"),
    )
    return DistillationTask(data=task.data, teacher=TeacherConfig(training=teacher), training=training)


ALL_HEADS = Heads(
    sample_weights=SampleWeights(features=("teacher_divergence", "own_confidence_in_class")),
    teacher_anchor=TeacherAnchor(),
    loss_weights=LossWeights(terms=("ce", "kd", "hint"), usual=(0.1, 0.9, 0.0), most=(1.0, 0.9, 0.01)),
)
CNN: dict[str, Any] = {"network": NetworkConfig(name="cnn", width=4), "channels_last": True}
ADAM: dict[str, Any] = {"optimiser": OptimiserConfig(name="adam", lr=0.01)}


@pytest.mark.parametrize("name", ["mlp", "cnn", "cnn with Adam", "distillation", "distillation with Adam"])
def test_a_snapshot_in_a_file_goes_on_bit_for_bit(
    name: str, task: ClassificationTask, distillation: DistillationTask, config: StageEnvConfig, tmp_path: Path
) -> None:
    changes: dict[str, Any] = (ADAM if "Adam" in name else {}) | (CNN if "cnn" in name else {})
    chosen: ClassificationTask | DistillationTask = distillation if "distillation" in name else task
    training: Any = dataclasses.replace(chosen.training, **changes)
    chosen = dataclasses.replace(chosen, training=training)
    action = ALL_HEADS if "distillation" in name else config.action
    env = StageEnv(chosen, dataclasses.replace(config, action=action, warmup=0))
    actions = some_actions(env)
    env.reset(seed=1)
    for number, each in enumerate(actions):
        save_tree(tmp_path / str(number), env.snapshot())
        env.step(each)
    expected = env.learner.snapshot()
    for number in range(len(actions)):
        other = StageEnv(chosen, env.config, env.twins)
        other.restore(load_tree(tmp_path / str(number)))  # type: ignore[arg-type]
        for each in actions[number:]:
            other.step(each)
        got = other.learner.snapshot()
        for part in ("network", "adapter"):
            assert all(torch.equal(value, got[part][name]) for name, value in expected.get(part, {}).items())
        assert other.learner.view() == env.learner.view()


def test_heads_that_the_learner_does_not_offer_are_refused(task: ClassificationTask, config: StageEnvConfig) -> None:
    cases = (TeacherAnchor(), "has no teacher"), (ALL_HEADS, "no feature teacher_divergence")
    for action, message in cases:
        with pytest.raises(ValueError, match=message):
            StageEnv(task, dataclasses.replace(config, action=action)).reset(seed=0)


def test_all_heads_reach_the_learner(distillation: DistillationTask, config: StageEnvConfig) -> None:
    env = StageEnv(distillation, dataclasses.replace(config, action=ALL_HEADS, warmup=0))
    assert env.action_names == ALL_HEADS.names and env.action_space.shape == (7,)
    env.reset(seed=0)
    by_hand = distillation.learner(0)
    action = np.array([0.5, -0.25, 0.125, -0.5, 1.0, -0.5, 0.5], np.float32)
    _, _, _, _, info = env.step(action)
    by_hand.train_stage(ALL_HEADS.directive(action.tolist()))
    assert info["metric"] == by_hand.evaluate("validation")["accuracy"]
    assert env.learner.view() == by_hand.view()
    steps = run(env, np.tile(np.array(ALL_HEADS.baseline, np.float32), (4, 1)), seed=1)
    assert [reward for _, reward, _ in steps] == [0.0] * 4


def test_one_snapshot_serves_many_children(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, config)
    env.reset(seed=0)
    snapshot = env.snapshot()
    rewards = {}
    for sign in (-1.0, 1.0, -1.0):
        env.restore(snapshot)
        action = np.full(len(env.action_names), sign, np.float32)
        reward = env.step(action)[1]
        assert rewards.setdefault(sign, reward) == reward


def test_what_cannot_be_trained_ends_the_episode_with_a_reason(
    task: ClassificationTask, config: StageEnvConfig
) -> None:
    training = dataclasses.replace(task.training, optimiser=OptimiserConfig(lr=1e9, schedule="constant"))
    env = StageEnv(ClassificationTask(data=task.data, training=training), dataclasses.replace(config, warmup=0))
    env.reset(seed=0)
    terminated, observation, reward, info = False, np.zeros(0), 0.0, {}
    while not terminated:
        observation, reward, terminated, truncated, info = env.step(np.zeros(len(env.action_names), np.float32))
        assert not truncated
    assert reward == config.penalty
    assert "not finite" in info["failure"]
    assert np.isfinite(observation).all()
    assert env.observation_space.contains(observation)
    assert all(np.isfinite(value) for value in info.values() if isinstance(value, float))
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros(len(env.action_names), np.float32))


def test_a_nan_action_is_taken_as_zero(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, config)
    steps = run(env, np.full_like(some_actions(env), np.nan), seed=0)
    assert steps[-1][2]["advantage"] == 0.0


def test_mislabelled_samples_weigh_less_under_a_policy_that_suppresses_them(
    task: ClassificationTask, config: StageEnvConfig
) -> None:
    env = StageEnv(task, dataclasses.replace(config, action=SampleWeights(features=("loss",))))
    *_, (_, _, info) = run(env, np.tile(np.float32([-1, 0]), (3, 1)), seed=0)
    assert info["weight_mislabelled"] < info["weight_clean"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"warmup": -1}, "warmup is -1"),
        ({"pool": 0}, "pool is 0"),
        ({"observation": ("mood",)}, "'mood'"),
        ({"penalty": 3.0}, "penalty is 3.0"),
    ],
)
def test_bad_configurations_say_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StageEnvConfig(**change)  # type: ignore[arg-type]


def test_warm_up_may_not_take_all_stages(task: ClassificationTask, config: StageEnvConfig) -> None:
    with pytest.raises(ValueError, match="leave at least one stage"):
        StageEnv(task, dataclasses.replace(config, warmup=task.stages))


def test_features_that_the_learner_does_not_offer_are_refused(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, dataclasses.replace(config, action=SampleWeights(features=("margin",))))
    with pytest.raises(ValueError, match="offers no feature margin"):
        env.reset(seed=0)


def test_stepping_before_reset_is_an_error(task: ClassificationTask, config: StageEnvConfig) -> None:
    env = StageEnv(task, config)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros(len(env.action_names), np.float32))
