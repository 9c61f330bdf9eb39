"""One environment in a Ray actor: the workers' side of RayVecEnv."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from ray import cloudpickle

from law_rl.cluster.session import share_decoded_data
from law_rl.resources import Resources

Env = gymnasium.Env[Any, Any]
Call = tuple[str, tuple[Any, ...]]
"""A method's name and its arguments."""


@dataclass(kw_only=True)
class Past:
    """What an environment has been through: enough to bring a fresh one to the same state.

    `attributes` were set before what the rest begins with: the reset, or the snapshot where there is one. `calls`
    (steps, attributes set) came after. `generator` is that of the environment before the reset: state and seed.
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    resets: int = 0
    seed: int | None = None
    options: dict[str, Any] | None = None
    generator: tuple[dict[str, Any], int] | None = None
    snapshot: Path | None = None
    calls: list[Call] = field(default_factory=list)
    steps: int = 0

    def begin(self, seed: int | None, options: dict[str, Any] | None, generator: tuple[dict[str, Any], int]) -> None:
        """Notes a reset: what came before matters no more."""
        self._forget_calls()
        self.resets, self.steps, self.snapshot = self.resets + 1, 0, None
        self.seed, self.options, self.generator = seed, options, generator

    def saved(self, snapshot: Path) -> None:
        """Notes a snapshot, which holds what the calls so far did."""
        self._forget_calls()
        self.snapshot = snapshot

    def _forget_calls(self) -> None:
        self.attributes |= {arguments[0]: arguments[1] for name, arguments in self.calls if name == "set_attr"}
        self.calls = []

    @property
    def last_reset(self) -> str:
        """The reset in words, with all that it drew from."""
        if self.resets == 0:
            return "no reset"
        drawn = f" from np_random {self.generator[0]['state']}" if self.seed is None and self.generator else ""
        return f"reset(seed={self.seed}, options={self.options or None}){drawn}"


class EnvActor:
    """Makes an environment, answers calls on it, and takes a fresh one through another's past.

    Calls and answers travel as pickled bytes: Ray passes those faster than objects, and arrays arrive writable.
    """

    def __init__(self, make: bytes, resources: Resources) -> None:
        self._make, self._resources = make, resources

    def call(self, message: bytes) -> bytes:
        name, arguments = cloudpickle.loads(message)
        answer: bytes = cloudpickle.dumps(getattr(self, name)(*arguments))  # type: ignore[no-untyped-call]
        return answer

    def make(self) -> tuple[Any, Any]:
        """Makes the environment; its observation and action space."""
        share_decoded_data()
        self._limit_memory()
        env = cloudpickle.loads(self._make)()
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(self._resources.cpus)
        if not isinstance(env, gymnasium.Env):
            from stable_baselines3.common.vec_env.patch_gym import _patch_env

            env = _patch_env(env)
        self._env: Env = env
        return env.observation_space, env.action_space

    def _limit_memory(self) -> None:
        if self._resources.memory or self._resources.gpu_memory:
            from law_rl.cluster.worker import limit_memory

            limit_memory(self._resources, "cuda" if self._resources.gpus else "cpu")

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any, Any]:
        """Observation, info, and the generator as it was before."""
        generator = self._generator()
        given = {"options": options} if options else {}
        observation, info = self._env.reset(seed=seed, **given)
        return observation, info, generator

    def _generator(self) -> tuple[Any, int] | None:
        env = self._env.unwrapped
        if not isinstance(getattr(env, "np_random", None), np.random.Generator):
            return None
        return env.np_random.bit_generator.state, env.np_random_seed

    def step(self, action: Any, snapshot: Path | None = None) -> tuple[Any, Any, bool, dict[str, Any], Any]:
        """Observation, reward, whether the episode ended, info; where it ended, the next one's info and generator.

        Writes a snapshot first where a path for it is given.
        """
        if snapshot is not None:
            self._save(snapshot)
        observation, reward, terminated, truncated, info = self._env.step(action)
        info["TimeLimit.truncated"] = truncated and not terminated
        if not (terminated or truncated):
            return observation, reward, False, info, None
        info["terminal_observation"] = observation
        observation, *begun = self.reset()
        return observation, reward, True, info, begun

    def resume(self, past: Past, name: str, arguments: tuple[Any, ...]) -> Any:
        """Takes the fresh environment through the past, then answers the call."""
        for attribute in past.attributes.items():
            self.set_attr(*attribute)
        if past.snapshot is not None:
            self._restore(past.snapshot)
        elif past.resets > 0:
            self._repeat_reset(past)
        for method, given in past.calls:
            answer = getattr(self, method)(*given)
            if method == "step" and answer[2]:
                raise RuntimeError(
                    "the same reset and actions ended the episode earlier than before: draw all chance from np_random"
                )
        return getattr(self, name)(*arguments)

    def _repeat_reset(self, past: Past) -> None:
        env = self._env.unwrapped
        if past.generator is not None:
            env.np_random.bit_generator.state, env._np_random_seed = past.generator
        self.reset(past.seed, past.options)

    def _save(self, path: Path) -> None:
        from law_rl.files import save_tree

        save_tree(path, self._env.unwrapped.snapshot())  # type: ignore[attr-defined]

    def _restore(self, path: Path) -> None:
        from law_rl.files import load_tree

        self._env.unwrapped.restore(load_tree(path))  # type: ignore[attr-defined]
        for wrapper in self._wrappers():
            if isinstance(wrapper, OrderEnforcing):
                wrapper._has_reset = True
            elif isinstance(wrapper, PassiveEnvChecker):  # its checks were made on the first worker
                wrapper.checked_reset = wrapper.checked_step = wrapper.checked_data_reuse = True

    def _wrappers(self) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
        env = self._env
        while isinstance(env, gymnasium.Wrapper):
            yield env
            env = env.env

    def check_snapshots(self) -> None:
        """ValueError where snapshots would not hold all of the environment's state."""
        name = type(self._env.unwrapped).__name__
        if not all(callable(getattr(self._env.unwrapped, method, None)) for method in ("snapshot", "restore")):
            raise ValueError(f"snapshot_every is set, but {name} has no snapshot() and restore(): set it to 0")
        for wrapper in self._wrappers():
            if not isinstance(wrapper, OrderEnforcing | PassiveEnvChecker):
                raise ValueError(
                    f"snapshot_every is set, but snapshots of {name} do not hold the state of the "
                    f"{type(wrapper).__name__} around it: put wrappers around the vector environment instead "
                    "(VecMonitor, not Monitor), or set it to 0"
                )

    def get_attr(self, name: str) -> Any:
        return self._env.get_wrapper_attr(name)

    def has_attr(self, name: str) -> bool:
        return self._env.has_wrapper_attr(name)

    def set_attr(self, name: str, value: Any) -> None:
        setattr(self._env, name, value)

    def env_method(self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return self._env.get_wrapper_attr(name)(*arguments, **keywords)

    def is_wrapped(self, wrapper_class: type) -> bool:
        return any(isinstance(wrapper, wrapper_class) for wrapper in self._wrappers())

    def close(self) -> None:
        self._env.close()
