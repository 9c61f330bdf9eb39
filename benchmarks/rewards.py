"""The rewards against each other, and a twin that is started anew each stage, under LAW's agent for short budgets.

Digits with 40 % noise, LAW's two features, 55 episodes that the agent learns from and five that confirm the policy it
ends with, five unseen seeds. Only that policy counts: what an exploring episode happened upon is not taken. Finished
searches are kept in `results/rewards.json`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
import tyro

from benchmarks.running import learn, open_workers, run_jobs
from benchmarks.tables import RESULTS, Kept, markdown_table, signed
from envs.digits import digits_task
from experiments.quickstart import experiment as quickstart
from law_rl.actions import SampleWeights
from law_rl.evaluate import UNIFORM, Follow
from law_rl.experiment import Experiment
from law_rl.jobs import TrainingJob
from law_rl.rewards import RewardName
from law_rl.stage_env import StageEnvConfig
from law_rl.statistics import mean_interval
from policies.baselines import UniformWeights
from policies.law import short_budget

FEATURES = ("loss", "entropy")
BASE = replace(quickstart.env, action=SampleWeights(features=FEATURES))
ENVIRONMENTS: dict[str, StageEnvConfig] = {name: replace(BASE, reward=name) for name in get_args(RewardName)}
ENVIRONMENTS["twin resynced each stage"] = replace(BASE, reward="increment", resync_twin="stage")
SCALES: dict[str, float] = {"law": 1.0, "raw": 0.02}
"""What the agent multiplies a reward by, so that all are of the size of LAW's; 0.1 for gains in points."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much to measure."""

    searches: int = 3
    """Searches of each reward, with search seeds 0, 1, ..."""
    workers: int = 2
    """Ray workers; 0: this process."""
    fresh: bool = False
    """Forget the searches that were run before."""
    out: Path = RESULTS


def experiment_of(name: str, seed: int) -> Experiment:
    agent = replace(short_budget(), reward_scale=SCALES.get(name, 0.1))
    search = replace(quickstart.search, candidates=1, seed=seed)
    task = digits_task(features=FEATURES)
    return replace(quickstart, name=f"rewards {name}", task=task, agent=agent, env=ENVIRONMENTS[name], search=search)


def measure(experiment: Experiment, workers: int, text: str) -> dict[str, Any]:
    """One search, and its schedule's and uniform weights' test accuracy on the unseen seeds."""
    seeds = experiment.evaluation.training_seeds
    with open_workers(experiment.setting, workers) as opened:
        follow = Follow(schedule=learn(experiment, opened, text))
        jobs = {f"{c.name}/{s}": TrainingJob(curriculum=c, seed=s) for c in (follow, UniformWeights()) for s in seeds}
        results = run_jobs(jobs, opened, f"{text}: evaluation")
    return {name: [results[f"{name}/{seed}"] for seed in seeds] for name in (follow.name, UNIFORM)}


def report(parts: dict[str, Any]) -> str:
    rows = []
    for name in ENVIRONMENTS:
        runs = [part for key, part in parts.items() if key.startswith(f"{name}/")]
        gains = [[a - b for a, b in zip(run["learned"], run[UNIFORM], strict=True)] for run in runs]
        by_seed = mean_interval([sum(column) / len(gains) for column in zip(*gains, strict=True)])
        rows.append((name, signed(by_seed), ", ".join(f"{mean_interval(gain).mean:+.2f}" for gain in gains)))
    rows.sort(key=lambda row: -float(row[1].split()[0]))
    note = "Test accuracy over uniform weights in points: paired 95 % t interval over unseen seeds, searches averaged."
    return f"{note}\n\n{markdown_table(('reward', 'learned over uniform', 'of each search'), rows)}"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    kept = Kept(options.out, "rewards", fresh=options.fresh)
    current: dict[str, Any] = {}
    for seed in range(options.searches):
        for name in ENVIRONMENTS:
            part, experiment = f"{name}/{seed}", experiment_of(name, seed)
            if not kept.has(part, experiment):
                kept.put(part, measure(experiment, options.workers, f"{name}, search {seed}"), experiment)
            current[part] = kept.parts[part]
        kept.write(report(current))
    print(report(current))


if __name__ == "__main__":
    main()
