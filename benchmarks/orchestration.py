"""What the environment costs: an episode of StageEnv against the same stages and validation passes in a bare loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import tyro

from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import ROUNDS, least, seconds
from experiments.quickstart import experiment as quickstart
from law_rl.learner import BASELINE, Directive
from law_rl.stage_env import StageEnv

SEED = 0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much is timed."""

    rounds: int = ROUNDS
    out: Path = RESULTS


def actions(env: StageEnv) -> list[npt.NDArray[np.float32]]:
    """One action a stage, moving from uniform weights to ones that differ."""
    share = np.linspace(0.0, 0.5, env.task.stages - env.config.warmup, dtype=np.float32)
    return [np.full(len(env.action_names), value, np.float32) for value in share]


def bare_loop(env: StageEnv, directives: list[Directive], metrics: list[float]) -> Callable[[], float]:
    """A learner from its state after warm-up, trained and validated stage by stage; notes its last metric."""
    warm = env.task.learner(SEED)
    for _ in range(env.config.warmup):
        warm.train_stage(BASELINE)
    snapshot = warm.snapshot()

    def loop() -> None:
        learner = env.task.learner(SEED)
        learner.restore(snapshot)
        learner.evaluate("validation")
        for directive in directives:
            learner.train_stage(directive)
            metric = learner.evaluate("validation")[learner.metric]
        metrics.append(metric)

    return lambda: seconds(loop)


def episode(env: StageEnv, metrics: list[float]) -> Callable[[], float]:
    """An episode of the environment, whose twin and warm-up are trained before; notes its last metric."""

    def loop() -> None:
        env.reset(options={"training_seed": SEED})
        for action in actions(env):
            *_, info = env.step(action)
        metrics.append(info["metric"])

    env.reset(options={"training_seed": SEED})
    return lambda: seconds(loop)


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    env = StageEnv(quickstart.task, quickstart.env)
    directives = [quickstart.env.action.directive(action.tolist()) for action in actions(env)]
    metrics: list[float] = []
    cases = {"bare": bare_loop(env, directives, metrics), "env": episode(env, metrics)}
    times = least(cases, "episodes", options.rounds)
    if len(set(metrics)) > 1:
        raise RuntimeError(f"the two loops trained differently, to {sorted(set(metrics))}: they cannot be compared")
    ratio = times["bare"] / times["env"]
    table = markdown_table(
        ("bare loop, s", "StageEnv, s", "bare / StageEnv"),
        [(f"{times['bare']:.3f}", f"{times['env']:.3f}", f"{ratio:.3f}")],
    )
    write_results(
        options.out, "orchestration", {"rounds": options.rounds, "seconds": times, "bare_over_env": ratio}, table
    )
    print(table)


if __name__ == "__main__":
    main()
