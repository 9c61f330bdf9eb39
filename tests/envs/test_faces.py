"""The face environment under stock code, with few persons: both checkers, Stable-Baselines3, and what actions do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gymnasium
import gymnasium.utils.env_checker
import numpy as np
import pytest
import stable_baselines3.common.env_checker
import torch
from stable_baselines3 import TD3

from envs.faces import ACTION, FEATURES, LFW, LOSSES, WARMUP, face_distillation, face_task
from law_rl.actions import LossWeights, SampleWeights, TeacherAnchor
from law_rl.data.augment import AugmentConfig
from law_rl.data.places import TEACHERS
from law_rl.face.data import sources
from law_rl.face.relation_config import RelationConfig
from law_rl.face.task import FaceTask
from law_rl.learner import BASELINE
from law_rl.stage_env import StageEnv, StageEnvConfig
from policies.stable_baselines import counter_draws

CONFIG = StageEnvConfig(action=ACTION, warmup=WARMUP, pool=2)


@pytest.fixture(autouse=True, scope="module")
def few_persons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Drawings of 16 persons, and teachers in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        patch.setattr(sources, "SYNTHETIC_PERSONS", 16)
        patch.setattr(sources, "SYNTHETIC_IMAGES", 5)
        sources._load.cache_clear()
        yield
    sources._load.cache_clear()


def small(task: FaceTask) -> FaceTask:
    """The task on few small drawings, with small networks and three short stages."""
    data = replace(
        task.data, image_size=16, validation_identities=3, test_identities=3, augment=AugmentConfig(flip=True)
    )
    network = replace(task.training.network, width=4, embedding=8)
    training = replace(
        task.training, network=network, epochs=3, stages=3, batch_size=25, relation=RelationConfig(count=3)
    )
    teacher = replace(task.teacher, training=replace(task.teacher.training, network=network, epochs=2), every=1)
    return replace(task, data=data, training=training, teacher=teacher)


@pytest.fixture(scope="module")
def env() -> StageEnv:
    return StageEnv(small(face_task()), CONFIG)


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
    made = gymnasium.make("envs:law_rl/FaceDistillation-v0").unwrapped
    assert isinstance(made, StageEnv) and made.config.action == ACTION
    assert made.task == face_task() and made.task.metric == "TAR@0.01"
    assert made.action_names[: len(FEATURES)] == tuple(f"weight of {name}" for name in FEATURES)


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
    episode(env, ACTION.baseline)
    usual, twin = ACTION.directive(ACTION.baseline), env.learner.view().ema_loss
    changed = set()
    for k, name in enumerate(ACTION.names):
        for entry in (-1.0, 1.0):
            action = [*ACTION.baseline[:k], entry, *ACTION.baseline[k + 1 :]]
            if name != "bias" and ACTION.directive(action) != usual:  # a bias alone weighs all the same
                episode(env, action)
                assert env.learner.view().ema_loss != twin, (name, entry)
                changed.add(name)
    assert changed == set(ACTION.names) - {"bias"}


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


@pytest.mark.parametrize(
    "action",
    [
        TeacherAnchor(),
        SampleWeights(features=("loss", "teacher_cosine")),
        SampleWeights(features=("crowding",)),
        LossWeights(terms=("fcd",), usual=(LOSSES.fcd,), most=(LOSSES.fcd + 1,)),
    ],
)
def test_one_head_is_enough(action: TeacherAnchor | SampleWeights | LossWeights) -> None:
    given = face_distillation(config=StageEnvConfig(action=action, warmup=1)).task
    assert isinstance(given, FaceTask)
    env = StageEnv(small(given), StageEnvConfig(action=action, warmup=1))
    observation, info = env.reset(seed=0)
    assert info["stage"] == 1 and env.observation_space.contains(observation)
    env.step(np.zeros(len(action.names), np.float32))
    assert set(action.features or FEATURES) == set(env.learner.feature_names)


def test_photographs_are_asked_for_where_they_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    env = face_distillation(data="lfw")
    task = env.task
    assert isinstance(task, FaceTask) and task.data == LFW
    missing = StageEnv(replace(task, data=replace(LFW, root=str(tmp_path))), env.config)
    with pytest.raises(FileNotFoundError, match=r"lfwa_gray112\.npz"):
        missing.reset(seed=0)
