"""RayVecEnv: a Stable-Baselines3 vector environment over Ray actors that outlives its workers, bit for bit."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import ray
from gymnasium import Env, Wrapper, spaces
from ray import cloudpickle
from ray.exceptions import RayError
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn

from law_rl.cluster.env_actor import EnvActor
from law_rl.cluster.placement import Placement
from law_rl.cluster.remote_env import RemoteEnv, settle_all
from law_rl.cluster.session import start_ray, worker_environment
from law_rl.resources import Resources

STARTING, CLOSING = 60.0, 10.0
"""Seconds until slow starts are warned of, and seconds that environments are given to close."""


class RayVecEnv(VecEnv):
    """Every environment in a Ray actor of its own: `RayVecEnv([make_env] * 8)` where `SubprocVecEnv` stood.

    Runs on the Ray that this process is in, the one at RAY_ADDRESS, or a new one that `close` ends. Each actor gets the
    `resources`, and finds the modules of the project `root` where one is given.

    A worker that dies, or takes longer than `deadline` seconds for a call (0: no limit), is replaced: a fresh
    environment repeats the last reset, from the same state of `np_random`, and the actions since, and the run goes on
    with the same bits. That holds for an environment whose episodes depend on the seed, the options, `np_random`, the
    actions and attributes set with `set_attr` alone; what `env_method` changed or earlier episodes left behind is lost.
    With `snapshot_every=n` an environment that has `snapshot()` and `restore()`, such as a StageEnv, writes a snapshot
    (a tree of tensors and plain values, `np_random` in it) to `storage`, a folder that all machines see, every n steps
    of an episode, and only the actions after it are repeated.

    RuntimeError, naming the environment, its last reset, the step and the action: where one raises on three workers, a
    call loses four workers, or a reward is not finite.
    """

    def __init__(
        self,
        env_fns: Sequence[Callable[[], Env[Any, Any]]],
        *,
        resources: Resources | None = None,
        root: Path | None = None,
        snapshot_every: int = 0,
        storage: Path | None = None,
        deadline: float = 0.0,
    ) -> None:
        _check(len(env_fns), snapshot_every, storage, deadline)
        self._resources, self._deadline = resources or Resources(), deadline
        self._stepping, self._torn, self._closed = False, False, False
        self._remotes: list[RemoteEnv] = []
        self._placement: Placement | None = None
        self._folder = _make_folder(storage) if storage is not None and snapshot_every else None
        self._owns_ray = not ray.is_initialized()
        try:
            if self._owns_ray:
                start_ray(len(env_fns) * self._resources.cpus)
            self._placement = Placement(self._resources, len(env_fns))
            for index, env_fn in enumerate(env_fns):
                make: bytes = cloudpickle.dumps(env_fn)  # type: ignore[no-untyped-call]
                start = self._starter(index, make, self._placement, root)
                remote = RemoteEnv(index, start, deadline=deadline, folder=self._folder, snapshot_every=snapshot_every)
                self._remotes.append(remote)
            self._warn_of_waiting()
            (observation_space, action_space), *_ = self._answers(self._remotes)
            super().__init__(len(env_fns), observation_space, action_space)
            if snapshot_every:
                self._ask("check_snapshots", None)
        except BaseException:
            self.close()
            raise

    def _starter(self, index: int, make: bytes, placement: Placement, root: Path | None) -> Callable[[], Any]:
        resources = self._resources
        threads = {"OMP_NUM_THREADS": str(resources.cpus)}
        actor_class = ray.remote(EnvActor).options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus or 0,
            memory=resources.memory_bytes or None,
            runtime_env={"env_vars": worker_environment(root, resources) if root is not None else threads},
            **placement.options(index),
        )
        return lambda: actor_class.remote(make, resources)

    def _warn_of_waiting(self) -> None:
        references = [remote.reference for remote in self._remotes]
        _, waiting = ray.wait(references, num_returns=len(references), timeout=STARTING)
        if waiting:
            warnings.warn(
                f"{len(waiting)} of {len(references)} environments have not started in {STARTING:g} s: other actors "
                "may hold the CPUs or GPUs they wait for; end those, or call ray.init with more before",
                stacklevel=3,
            )

    def _answers(self, remotes: Sequence[RemoteEnv]) -> list[Any]:
        """The answers to the calls under way: one wait where nothing fails."""
        try:
            answers = ray.get([remote.reference for remote in remotes], timeout=self._deadline or None)
        except RayError:
            settle_all(remotes)
            answers = ray.get([remote.reference for remote in remotes])
        return [cloudpickle.loads(answer) for answer in answers]

    def _ask(self, name: str, indices: VecEnvIndices, *arguments: Any) -> list[Any]:
        self._refuse_closed()
        self._receive_step()
        remotes = [self._remotes[index] for index in self._get_indices(indices)]
        for remote in remotes:
            remote.fire(name, *arguments)
        return self._answers(remotes)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the vector environment is closed: make a new one")

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        self._refuse_closed()
        if self._torn:
            raise RuntimeError("the last step or reset failed: call reset() first")
        for remote, action in zip(self._remotes, deepcopy(actions), strict=True):
            remote.fire_step(action)
        self._stepping = True

    def step_wait(self) -> VecEnvStepReturn:
        self._receive_step()
        return self._step_return

    def _receive_step(self) -> None:
        if not self._stepping:
            return
        self._stepping, self._torn = False, True
        answers = self._answers(self._remotes)
        observations, rewards, dones, infos, begun = zip(*answers, strict=True)
        returned = np.array(rewards, np.float32).reshape(self.num_envs)
        for index in np.flatnonzero(~np.isfinite(returned)).tolist():
            raise self._remotes[index].refuse(rewards[index])
        for index, remote in enumerate(self._remotes):
            remote.stepped(begun[index])
            if begun[index] is not None:
                self.reset_infos[index] = begun[index][0]
        stacked = _stack(observations, self.observation_space)
        self._step_return = stacked, returned, np.array(dones, np.bool_), list(infos)
        self._torn = False

    def reset(self) -> VecEnvObs:
        self._refuse_closed()
        self._receive_step()
        self._torn = True
        for remote, seed, options in zip(self._remotes, self._seeds, self._options, strict=True):
            remote.fire("reset", seed, options)
        observations = []
        for index, (observation, info, generator) in enumerate(self._answers(self._remotes)):
            self._remotes[index].was_reset(generator)
            self.reset_infos[index] = info
            observations.append(observation)
        self._torn = False
        self._reset_seeds()
        self._reset_options()
        return _stack(observations, self.observation_space)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return self._ask("get_attr", indices, attr_name)

    def has_attr(self, attr_name: str) -> bool:
        return all(self._ask("has_attr", None, attr_name))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        self._ask("set_attr", indices, attr_name, value)
        for index in self._get_indices(indices):
            self._remotes[index].was_set(attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of the environments; what it changes there is lost where a worker is replaced."""
        return self._ask("env_method", indices, method_name, method_args, method_kwargs)

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        return self._ask("is_wrapped", indices, wrapper_class)

    def get_images(self) -> Sequence[npt.NDArray[Any] | None]:
        if self.render_mode != "rgb_array":
            warnings.warn(f"render_mode is {self.render_mode}: only rgb_array gives images", stacklevel=2)
            return [None] * self.num_envs
        return self.env_method("render")

    def close(self) -> None:
        """Closes the environments, ends their actors, and Ray where it was started here."""
        if self._closed:
            return
        self._closed = True
        if ray.is_initialized():
            self._end_actors()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._owns_ray:
            ray.shutdown()

    def _end_actors(self) -> None:
        for remote in self._remotes:
            remote.fire("close")
        if self._remotes:
            references = [remote.reference for remote in self._remotes]
            ray.wait(references, num_returns=len(references), timeout=CLOSING)
        for remote in self._remotes:
            remote.kill()
        if self._placement is not None:
            self._placement.close()


def _check(count: int, snapshot_every: int, storage: Path | None, deadline: float) -> None:
    if count < 1:
        raise ValueError("env_fns is empty: give at least one function that makes an environment")
    if snapshot_every < 0 or (snapshot_every and storage is None):
        raise ValueError(
            f"snapshot_every is {snapshot_every} with storage {storage}: give 0, or a number of steps and a folder"
        )
    if not 0 <= deadline < float("inf"):
        raise ValueError(f"deadline is {deadline}: give seconds above 0, or 0 for no limit")


def _make_folder(storage: Path) -> Path:
    """A folder in storage for this run alone."""
    storage.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="environments-", dir=storage.resolve()))


def _stack(observations: Sequence[Any], space: spaces.Space[Any]) -> VecEnvObs:
    """Observations of all environments as arrays of the space's dtype [environments, ...]; a dict or tuple of those."""
    if isinstance(space, spaces.Dict):
        return {key: np.array([entry[key] for entry in observations], part.dtype) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        parts = zip(zip(*observations, strict=True), space, strict=True)
        return tuple(np.array(column, part.dtype) for column, part in parts)
    return np.array(observations, space.dtype)
