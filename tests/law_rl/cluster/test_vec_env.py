"""RayVecEnv: Stable-Baselines3's semantics, and runs that go on bit for bit when workers are lost."""

import copy
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit
from ray import cloudpickle
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from benchmarks.processes import actor_processes
from law_rl.cluster.env_actor import EnvActor, Past
from law_rl.cluster.vec_env import RayVecEnv
from law_rl.experiment import Experiment
from law_rl.files import load_tree, save_tree
from law_rl.resources import Resources
from law_rl.stage_env import StageEnv

ray_test = pytest.mark.ray
# workers start faster without the imports of this file
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # type: ignore[no-untyped-call]
Env = gymnasium.Env[Any, Any]
Act = Callable[[VecEnv], None]


class Walk(gymnasium.Env[Any, Any]):
    """A noisy walk of `length` steps; ends early far from 0. `trouble` is called with the step before each step."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    render_mode = "rgb_array"

    def __init__(self, kind: str = "box", length: int = 5, trouble: Callable[[int], None] = lambda step: None) -> None:
        box = spaces.Box(-100.0, 100.0, (2,), np.float32)
        self.observation_space: spaces.Space[Any] = {
            "box": box,
            "dict": spaces.Dict({"place": box, "step": spaces.Discrete(100)}),
            "tuple": spaces.Tuple((box, spaces.Discrete(100))),
        }[kind]
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.kind, self.length, self.trouble = kind, length, trouble
        self.gain, self.nap, self.steps_here = 1.0, 0.0, 0
        self.place, self.stepped = np.zeros(2), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.stepped = self.np_random.normal(size=2) + (options or {}).get("shift", 0.0), 0
        return self.observe(), {"options": options, "seed": seed}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        time.sleep(self.nap)
        self.trouble(self.stepped)
        self.stepped += 1
        self.steps_here += 1
        action *= self.gain  # in place: actions arrive writable
        self.place = self.place + action + self.np_random.normal(size=2)
        ended = bool(np.abs(self.place).max() > 4)
        return self.observe(), float(self.gain * self.place.sum()), ended, self.stepped >= self.length, {"x": [1]}

    def observe(self) -> Any:
        place = self.place.astype(np.float32)
        return {"box": place, "dict": {"place": place, "step": self.stepped}, "tuple": (place, self.stepped)}[self.kind]

    def render(self) -> Any:
        return np.full((2, 2, 3), self.stepped, np.uint8)

    def twice(self, value: int, *, plus: int = 0) -> int:
        return 2 * value + plus

    def snapshot(self) -> dict[str, Any]:
        generator = self.np_random.bit_generator.state
        return {"place": self.place.tolist(), "stepped": self.stepped, "gain": self.gain, "generator": generator}

    def restore(self, snapshot: dict[str, Any]) -> None:
        self.place, self.stepped, self.gain = np.array(snapshot["place"]), snapshot["stepped"], snapshot["gain"]
        self.np_random.bit_generator.state = snapshot["generator"]


def checked_walk() -> Env:
    return OrderEnforcing(PassiveEnvChecker(Walk()))


@contextmanager
def closing(env: VecEnv) -> Iterator[VecEnv]:
    try:
        yield env
    finally:
        env.close()


def kill_workers(env: VecEnv) -> None:
    """Kills the workers of all environments, which are this process's own; nothing where they are in this process."""
    if isinstance(env, DummyVecEnv):
        return
    processes = actor_processes("EnvActor")
    for process in processes:
        os.kill(process, signal.SIGKILL)
    assert len(processes) == env.num_envs


def nothing(env: VecEnv) -> None:
    """Leaves the workers alone."""


def actions(env: VecEnv, steps: int) -> list[Any]:
    size = (steps, env.num_envs, *env.action_space.shape)  # type: ignore[misc]
    return list(np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32))


def assert_same(one: Any, other: Any) -> None:
    """Equality of nested values, bit for bit, with the dtypes of arrays; an OrderedDict counts as a dict."""
    assert type(one) is type(other) or (isinstance(one, dict) and isinstance(other, dict))
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def semantics(env: VecEnv) -> list[Any]:
    """What a user sees of a vector environment: resets with seeds and options, episodes' ends, methods, attributes."""
    seen: list[Any] = [env.num_envs, env.render_mode, env.seed(3)]
    env.set_options({"shift": 0.5})
    seen += [env.reset(), list(env.reset_infos)]
    for action in actions(env, 12):
        seen += [env.step(action), list(env.reset_infos)]
    seen += [env.reset(), list(env.reset_infos)]  # neither seeds nor options: they were used up
    env.set_attr("gain", 0.5, indices=0)
    seen += [env.get_attr("gain"), env.get_attr("gain", indices=[0]), env.env_method("twice", 4, plus=1, indices=0)]
    seen += [env.env_is_wrapped(TimeLimit), env.env_is_wrapped(OrderEnforcing), env.has_attr("gain")]
    seen += [env.has_attr("nowhere"), list(env.get_images()), env.render(mode="rgb_array")]
    for action in actions(env, 3):
        seen += [env.step(action)]
    return seen


@ray_test
@pytest.mark.parametrize(("kind", "lengths"), [("box", (5, 7)), ("dict", (4,)), ("tuple", (4,))])
def test_users_see_what_dummy_vec_env_shows(ray_session: None, kind: str, lengths: tuple[int, ...]) -> None:
    functions = [partial(TimeLimit, Walk(kind), length) for length in lengths]
    with closing(DummyVecEnv([partial(copy.deepcopy, function()) for function in functions])) as dummy:
        expected = semantics(dummy)
    with closing(RayVecEnv(functions)) as env:
        assert_same(semantics(env), expected)
        _, rewards, dones, _ = env.step(actions(env, 1)[0])
        assert rewards.dtype == np.float32
        assert dones.dtype == np.bool_
        with pytest.raises(AttributeError, match="nowhere"):
            env.get_attr("nowhere")
        assert env.env_method("twice", 4) == [8] * len(lengths)


def learn(env: VecEnv, algorithm: type[PPO] | type[A2C]) -> dict[str, Any]:
    settings: dict[str, Any] = {"batch_size": 8, "n_epochs": 2} if algorithm is PPO else {}
    model = algorithm("MlpPolicy", env, n_steps=8, seed=0, device="cpu", **settings).learn(48)
    return {name: tensor.numpy() for name, tensor in model.policy.state_dict().items()}


@ray_test
def test_algorithms_learn_what_they_learn_elsewhere(ray_session: None) -> None:
    with closing(RayVecEnv([Walk] * 2)) as env:
        for algorithm in (PPO, A2C):
            assert_same(learn(env, algorithm), learn(DummyVecEnv([Walk] * 2), algorithm))
        env.set_attr("gain", float("nan"), indices=1)
        env.seed(6)
        env.reset()
        with pytest.raises(
            RuntimeError, match=r"environment 1 gave the reward nan in step 1 after reset\(seed=7, opti"
        ):
            env.step(np.full((2, 2), 0.5, np.float32))
        with pytest.raises(RuntimeError, match="call reset"):
            env.step(np.full((2, 2), 0.5, np.float32))
        env.set_attr("gain", 1.0)
        env.reset()
        env.step(np.full((2, 2), 0.5, np.float32))
    with pytest.raises(RuntimeError, match="is closed"):
        env.reset()


def disturbed(env: VecEnv, disturb: Act) -> list[Any]:
    """A run with resets with and without seeds, disturbed after a reset, within an episode and within a step."""
    env.seed(1)
    seen: list[Any] = [env.reset(), env.reset()]
    disturb(env)
    for step, action in enumerate(actions(env, 12)):
        if step == 2:
            env.set_attr("gain", 0.5)
        if step == 4:
            env.set_attr("nap", 0.3, indices=0)
        env.step_async(action)
        if step in (4, 8):
            disturb(env)
        seen += [env.step_wait(), list(env.reset_infos)]
        env.set_attr("nap", 0.0)
    return seen


@ray_test
def test_a_walk_goes_on_when_its_workers_are_killed(ray_session: None) -> None:
    with closing(RayVecEnv([checked_walk])) as env:
        assert_same(disturbed(env, kill_workers), disturbed(DummyVecEnv([checked_walk]), nothing))


def snapshot_run(env: VecEnv, disturb: Act) -> list[Any]:
    env.seed(0)
    env.reset()
    env.set_attr("gain", 0.01)
    seen: list[Any] = [env.step(action) for action in actions(env, 4)]
    disturb(env)
    return [*seen, env.get_attr("gain"), *(env.step(action) for action in actions(env, 9))]


@ray_test
def test_only_the_steps_after_a_snapshot_are_repeated(ray_session: None, tmp_path: Path) -> None:
    def disturb(env: VecEnv) -> None:
        (file,) = tmp_path.rglob("*.safetensors")
        assert load_tree(file)["stepped"] == 2
        kill_workers(env)
        assert env.get_attr("steps_here") == [2]

    with closing(RayVecEnv([checked_walk], snapshot_every=2, storage=tmp_path)) as env:
        assert_same(snapshot_run(env, disturb), snapshot_run(DummyVecEnv([checked_walk]), nothing))
        assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    assert list(tmp_path.iterdir()) == []


def stage_run(env: VecEnv, disturb: Act) -> list[Any]:
    env.seed(1)
    seen: list[Any] = [env.reset(), env.reset()]
    for step, action in enumerate(actions(env, 5)):
        seen += [env.step(action), list(env.reset_infos)]
        if step == 1:
            disturb(env)
    return seen


@ray_test
@pytest.mark.parametrize("snapshot_every", [0, 1])
def test_a_training_goes_on_when_its_worker_is_killed(
    ray_session: None, tiny_experiment: Experiment, tmp_path: Path, snapshot_every: int
) -> None:
    make = partial(StageEnv, tiny_experiment.task, tiny_experiment.env)
    expected = stage_run(DummyVecEnv([make]), nothing)
    with closing(RayVecEnv([make], snapshot_every=snapshot_every, storage=tmp_path)) as env:
        assert_same(stage_run(env, kill_workers), expected)


def test_a_training_goes_on_from_a_file(tiny_experiment: Experiment, tmp_path: Path) -> None:
    env, other = (StageEnv(tiny_experiment.task, tiny_experiment.env) for _ in range(2))
    env.reset(seed=1)
    action = np.full(len(env.action_names), 0.5, np.float32)
    observation = env.step(action)[0]
    save_tree(tmp_path / "file", env.snapshot())
    np.testing.assert_array_equal(other.restore(load_tree(tmp_path / "file")), observation)  # type: ignore[arg-type]
    for _ in range(2):
        assert_same(other.step(action), env.step(action))
    assert_same(other.reset(), env.reset())


def once(file: Path, at: int, act: Callable[[], None], step: int) -> None:
    """Acts at a step the first time that it is reached on any worker."""
    if step == at and not file.exists():
        file.touch()
        act()


def fail() -> None:
    raise OSError("the disk was busy")


def freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@ray_test
@pytest.mark.parametrize("act", [fail, freeze], ids=["raise", "freeze"])
def test_trouble_that_passes_changes_nothing(ray_session: None, tmp_path: Path, act: Callable[[], None]) -> None:
    expected = disturbed(DummyVecEnv([Walk]), nothing)
    with closing(RayVecEnv([partial(Walk, trouble=partial(once, tmp_path / "done", 2, act))], deadline=2.0)) as env:
        assert_same(disturbed(env, nothing), expected)
    assert (tmp_path / "done").exists()


def count_and(act: Callable[[], None], file: Path, step: int) -> None:
    if step == 2:
        with file.open("a") as text:
            text.write("x")
        act()


@ray_test
@pytest.mark.parametrize(
    ("act", "attempts", "message"),
    [
        (fail, 3, r"environment 0 raised on 3 workers in step 3 after reset\(seed=4, options=None\), with action "
         r"\[0.5, 0.25\]: OSError: the disk was busy$"),
        (partial(os._exit, 1), 4, r"environment 0 lost 4 workers in step 3 after reset\(seed=4.*the last as it died"),
    ],
)  # fmt: skip
def test_trouble_that_stays_ends_the_run(
    ray_session: None, tmp_path: Path, act: Callable[[], None], attempts: int, message: str
) -> None:
    trouble = partial(count_and, act, tmp_path / "count")
    with closing(RayVecEnv([partial(Walk, length=9, trouble=trouble)])) as env:
        env.seed(4)
        env.reset()
        with pytest.raises(RuntimeError, match=message) as caught:
            for _ in range(3):
                env.step(np.array([[0.5, 0.25]], np.float32))
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__, OSError) == (act is fail)
    assert (tmp_path / "count").read_text() == attempts * "x"


def actor(make: Callable[[], Env]) -> EnvActor:
    made = EnvActor(cloudpickle.dumps(make), Resources())  # type: ignore[no-untyped-call]
    made.make()
    return made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Monitor(Walk()), r"do not hold the state of the Monitor around it: .*VecMonitor"),
        (lambda: TimeLimit(Walk(), 3), "do not hold the state of the TimeLimit"),
        (lambda: gymnasium.make("CartPole-v1").unwrapped, r"CartPoleEnv has no snapshot\(\) and restore\(\)"),
    ],
)
def test_snapshots_that_would_lose_state_are_refused(make: Callable[[], Env], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        actor(make).check_snapshots()


@ray_test
def test_a_refusal_ends_the_constructor(ray_session: None, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the Monitor around it"):
        RayVecEnv([lambda: Monitor(Walk())], snapshot_every=1, storage=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_ends_early_when_repeated_is_found() -> None:
    calls = [("step", (np.zeros(2, np.float32),))] * 2
    with pytest.raises(RuntimeError, match="ended the episode earlier than before"):
        actor(lambda: Walk(length=2)).resume(Past(resets=1, seed=0, calls=calls), "get_attr", ("gain",))


@pytest.mark.parametrize(
    ("count", "settings", "message"),
    [
        (0, {}, "env_fns is empty"),
        (1, {"snapshot_every": 2}, "snapshot_every is 2 with storage None"),
        (1, {"deadline": -1.0}, "deadline is -1.0"),
        (1, {"deadline": float("nan")}, "deadline is nan"),
    ],
)
def test_wrong_settings_are_refused(count: int, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RayVecEnv([Walk] * count, **settings)
