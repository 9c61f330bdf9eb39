"""RayVecEnv against Stable-Baselines3's SubprocVecEnv: steps a second of two environments, by the length of a stage."""

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
import tyro
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import ROUNDS, least, seconds
from envs.digits import FEATURES, digits_task
from law_rl.actions import SampleWeights
from law_rl.classification.task import ClassificationTask
from law_rl.cluster.session import start_ray
from law_rl.cluster.vec_env import RayVecEnv
from law_rl.stage_env import StageEnv, StageEnvConfig
from law_rl.twins import TwinBook

STAGE_MS = (10, 40, 200)
ENVIRONMENTS = 2
STAGES = 400
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is timed: about `seconds` of stages for each kind and length, in rounds that take turns."""

    seconds: float = 60.0
    rounds: int = ROUNDS
    out: Path = RESULTS


class Asleep(gymnasium.Env[npt.NDArray[np.float32], npt.NDArray[np.float32]]):
    """Sleeps for a stage's length, then observes what `np_random` draws."""

    def __init__(self, ms: float) -> None:
        self.ms = ms
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (7,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (5,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        return self.np_random.random(7, np.float32), {}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        time.sleep(self.ms / 1000)
        return self.np_random.random(7, np.float32), float(action.sum()), False, False, {}


def task(iterations: float) -> ClassificationTask:
    """Training on digits whose stages take so many iterations."""
    found = digits_task(noise=0.4)
    each = math.ceil(len(found.learner(0).dataset.train) / found.training.batch_size)
    epochs = max(1, round(iterations * STAGES / each))
    return replace(found, training=replace(found.training, epochs=epochs, stages=STAGES))


def training(iterations: float) -> StageEnv:
    """An environment over that training, its twin's curve given: as flat as it is cheap."""
    torch.set_num_threads(1)
    trained, config = task(iterations), StageEnvConfig(action=SampleWeights(features=FEATURES), pool=1)
    curves = {seed: (0.0,) * (STAGES + 1) for seed in config.seeds}
    return StageEnv(trained, config, TwinBook(trained, warmup=config.warmup, curves=curves))


def stage_seconds(iterations: float) -> float:
    """The least seconds of a stage in this process."""
    env = training(iterations)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape or (), np.float32)
    return min(seconds(partial(env.step, action)) for _ in range(20))


def iterations_of(ms: float) -> float:
    """The iterations that a stage of this length has, from the times of a short and a long stage."""
    few, many = 10, 60
    short, long = stage_seconds(few), stage_seconds(many)
    slope = (long - short) / (many - few)
    return max(1.0, few + (ms / 1000 - short) / slope)


def stepping(env: VecEnv, steps: int, seen: list[Any]) -> Callable[[], float]:
    """Steps the environments on, and notes what they show."""
    env.seed(0)
    seen.append(env.reset())
    generator = np.random.default_rng(0)
    size = (steps, ENVIRONMENTS, *(env.action_space.shape or ()))

    def run() -> float:
        actions = generator.uniform(-1, 1, size).astype(np.float32)
        return seconds(lambda: seen.extend(part for action in actions for part in env.step(action)[:3]))

    return run


def measure(make: Callable[[], StageEnv | Asleep], ms: float, options: Options, text: str) -> dict[str, float]:
    """Steps a second of both, and their ratio; RuntimeError where they show different things."""
    steps = max(3, round(options.seconds * 1000 / ms / options.rounds / 2))
    seen: dict[str, list[Any]] = {"subproc": [], "ray": []}
    functions: list[Callable[[], Any]] = [make] * ENVIRONMENTS
    with closing(SubprocVecEnv(functions)) as subproc, closing(RayVecEnv(functions, root=ROOT)) as ray:
        cases = {name: stepping(env, steps, seen[name]) for name, env in (("subproc", subproc), ("ray", ray))}
        times = least(cases, text, options.rounds)
    pairs = zip(seen["subproc"], seen["ray"], strict=True)
    if not all(np.array_equal(np.float32(one), other) for one, other in pairs):  # SubprocVecEnv's rewards are float64
        raise RuntimeError(f"{text}: the two vector environments showed different observations or rewards")
    rates = {name: ENVIRONMENTS * steps / time for name, time in times.items()}
    return {"ms": ms, **rates, "ratio": rates["ray"] / rates["subproc"]}


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    start_ray(ENVIRONMENTS)
    kinds: dict[str, Callable[[float], Callable[[], StageEnv | Asleep]]] = {
        "training on digits": lambda ms: partial(training, iterations_of(ms)),
        "sleeping": lambda ms: partial(Asleep, ms),
    }
    rows, results = [], []
    for kind, of_length in kinds.items():
        for ms in STAGE_MS:
            found = measure(of_length(ms), ms, options, f"{kind}, {ms} ms")
            results.append({"kind": kind, **found})
            rows.append((kind, ms, f"{found['subproc']:.1f}", f"{found['ray']:.1f}", f"{found['ratio']:.3f}"))
    header = ("environment", "stage, ms", "SubprocVecEnv, steps/s", "RayVecEnv, steps/s", "Ray / Subproc")
    table = markdown_table(header, rows)
    write_results(options.out, "vec_env", {"rounds": options.rounds, "cases": results}, table)
    print(table)


if __name__ == "__main__":
    main()
