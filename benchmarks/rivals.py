"""The quickstart's agent against other ways to find a weighting, on the same number of trainings and in one run.

Rivals: random draws and Optuna's TPE, over a constant and over a two-phase weighting; population-based training by Ray
Tune; DDPG, TD3 and SAC of Stable-Baselines3; LAW's agent as published (its state and reward) and as changed for short
budgets. All see validation advantage over the twin on the pool's seeds, and all
end by the same rule: two candidates each train on every seed of the pool, the better one is taken. What each found
then trains on seeds that no search has seen. Finished searches are kept in `results/rivals.json`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import tyro

from benchmarks.black_box import BlackBoxConfig
from benchmarks.population import PopulationConfig, train_population
from benchmarks.running import ROOT, learn, open_workers, run_jobs, with_search_seed
from benchmarks.tables import RESULTS, Kept, markdown_table, signed
from experiments.quickstart import experiment as quickstart
from law_rl.agent import AgentConfig
from law_rl.evaluate import LEARNED, UNIFORM, Follow
from law_rl.experiment import EvaluationConfig, Experiment
from law_rl.jobs import EpisodeJob, TrainingJob, TwinJob
from law_rl.observation import LAW_STATE
from law_rl.schedule import Schedule
from law_rl.selection import choose, make_schedule
from law_rl.stage_env import StageEnvConfig
from law_rl.statistics import mean_interval
from policies.baselines import UniformWeights
from policies.law import LawConfig, short_budget
from policies.off_policy import DDPGConfig, SACConfig, TD3Config

RivalName = Literal[
    "learned",
    "random_constant",
    "random_two_phase",
    "tpe_constant",
    "tpe_two_phase",
    "pbt",
    "ddpg",
    "td3",
    "sac",
    "law",
    "law_short",
]
AGENTS: dict[RivalName, AgentConfig | PopulationConfig] = {
    "learned": quickstart.agent,
    "random_constant": BlackBoxConfig(sampler="random", weighting="constant"),
    "random_two_phase": BlackBoxConfig(sampler="random", weighting="two_phase"),
    "tpe_constant": BlackBoxConfig(sampler="tpe", weighting="constant"),
    "tpe_two_phase": BlackBoxConfig(sampler="tpe", weighting="two_phase"),
    "pbt": PopulationConfig(),
    "ddpg": DDPGConfig(),
    "td3": TD3Config(),
    "sac": SACConfig(),
    "law": LawConfig(),
    "law_short": short_budget(),
}
ENVIRONMENTS: dict[str, StageEnvConfig] = {
    "law": replace(quickstart.env, observation=LAW_STATE, reward="law"),
    "law_short": replace(quickstart.env, reward="law"),
}
"""Where an agent wants another environment than the quickstart's."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure, and with how much work."""

    only: tuple[RivalName, ...] = get_args(RivalName)
    searches: int = 3
    """Searches of each rival, with search seeds 0, 1, ..."""
    seeds: int = 5
    """Unseen training seeds."""
    episodes: int = quickstart.search.episodes
    """Trainings of a search after those of the twins, choosing among candidates included."""
    workers: int = 2
    """Ray workers, at least 1: population-based training is Ray's."""
    fresh: bool = False
    """Forget the searches that were run before."""
    out: Path = RESULTS


def base_experiment(options: Options) -> Experiment:
    search = replace(quickstart.search, episodes=options.episodes)
    return replace(quickstart, search=search, evaluation=EvaluationConfig(seeds=options.seeds))


def find(name: RivalName, experiment: Experiment, workers: int, text: str) -> Schedule:
    """The schedule that one search of a rival ends with."""
    agent = AGENTS[name]
    experiment = replace(experiment, env=ENVIRONMENTS.get(name, experiment.env))
    if isinstance(agent, PopulationConfig):
        return find_by_population(agent, experiment, workers, text)
    with open_workers(experiment.setting, workers) as opened:
        return learn(replace(experiment, name=f"rivals {name}", agent=agent), opened, text)


def find_by_population(config: PopulationConfig, experiment: Experiment, workers: int, text: str) -> Schedule:
    """The population in place of the search's exploring episodes; twins and the last choice are as in any search."""
    seeds = experiment.env.seeds
    with open_workers(experiment.setting, workers) as opened:
        twins = run_jobs({str(seed): TwinJob(seed=seed) for seed in seeds}, opened, f"{text}: twins")
    curves = {int(seed): curve for seed, curve in twins.items()}
    actors = train_population(experiment, config, curves, f"{text}: stages of the population")
    jobs = {
        f"{place} {seed}": EpisodeJob(actor=actor, training_seed=seed, curves=curves)
        for place, actor in enumerate(actors)
        for seed in seeds
    }
    with open_workers(experiment.setting, workers) as opened:
        episodes = run_jobs(jobs, opened, f"{text}: choice")
    runs = [[episodes[f"{place} {seed}"] for seed in seeds] for place in range(len(actors))]
    return make_schedule(experiment, *choose(list(actors), runs, experiment.env.action.baseline))


def evaluated(schedule: Schedule | None, experiment: Experiment, workers: int, text: str) -> list[float]:
    """Test metrics on the unseen seeds; None: of uniform weights."""
    curriculum = UniformWeights() if schedule is None else Follow(schedule=schedule)
    seeds = experiment.evaluation.training_seeds
    jobs = {str(seed): TrainingJob(curriculum=curriculum, seed=seed) for seed in seeds}
    with open_workers(experiment.setting, workers) as opened:
        results = run_jobs(jobs, opened, f"{text}: evaluation")
    return [results[str(seed)] for seed in seeds]


def measure(name: RivalName, experiment: Experiment, workers: int) -> dict[str, Any]:
    """One search of a rival, and what it found on the unseen seeds."""
    text = f"{name}, search {experiment.search.seed}"
    schedule = find(name, experiment, workers, text)
    values = evaluated(schedule, experiment, workers, text)
    return {"values": values, "validation_gain": schedule.provenance["validation_gain"], "schedule": schedule.hash}


def compare(parts: dict[str, Any]) -> dict[str, Any]:
    """Gains over uniform weights: each search's mean, and the interval over unseen seeds of the searches' average."""
    uniform = parts[UNIFORM]["values"]
    averages = {name: seed_averages(parts, name) for name in AGENTS if f"{name}/0" in parts}
    comparison: dict[str, Any] = {}
    for name, average in averages.items():
        gain = mean_interval([a - u for a, u in zip(average, uniform, strict=True)])
        comparison[name] = {"accuracy": mean_interval(average).to_json(), "gain": gain.to_json(), "text": signed(gain)}
        comparison[name]["searches"] = [
            mean_interval(values).mean - mean_interval(uniform).mean for values in values_of(parts, name)
        ]
        if LEARNED in averages and name != LEARNED:
            behind = mean_interval([b - a for a, b in zip(average, averages[LEARNED], strict=True)])
            comparison[name] |= {"learned_over": behind.to_json(), "learned_over_text": signed(behind)}
    return comparison


def values_of(parts: dict[str, Any], name: str) -> list[list[float]]:
    """Test metrics [searches][seeds] of a rival."""
    return [part["values"] for key, part in parts.items() if key.startswith(f"{name}/")]


def seed_averages(parts: dict[str, Any], name: str) -> list[float]:
    values = values_of(parts, name)
    return [sum(column) / len(values) for column in zip(*values, strict=True)]


def report(parts: dict[str, Any], experiment: Experiment) -> str:
    comparison = compare(parts)
    ordered = sorted(comparison, key=lambda name: -comparison[name]["gain"]["mean"])
    rows = [
        (
            name,
            f"{comparison[name]['accuracy']['mean']:.2f}",
            comparison[name]["text"],
            ", ".join(f"{gain:+.2f}" for gain in comparison[name]["searches"]),
            comparison[name].get("learned_over_text", ""),
        )
        for name in ordered
    ]
    header = ("found by", "test accuracy", "over uniform", "of each search", "learned over it")
    trainings = experiment.search.episodes + experiment.env.pool
    note = (
        f"{trainings} trainings a search. Test accuracy in percent on {experiment.evaluation.seeds} unseen seeds, "
        f"averaged over searches; uniform weights: {mean_interval(parts[UNIFORM]['values'])}. "
        "Differences are paired by seed, with 95 % t intervals, in points."
    )
    return f"{note}\n\n{markdown_table(header, rows)}"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    if options.workers < 1:
        raise SystemExit("workers is 0: give at least 1, population-based training needs Ray")
    import ray

    from law_rl.cluster.session import start_ray

    torch.set_num_threads(1)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    start_ray(options.workers)
    try:
        run(options)
    finally:
        ray.shutdown()


def run(options: Options) -> None:
    """Every search that is not kept already, with Ray running."""
    base, kept = base_experiment(options), Kept(options.out, "rivals", fresh=options.fresh)
    if not kept.has(UNIFORM, base):
        kept.put(UNIFORM, {"values": evaluated(None, base, options.workers, UNIFORM)}, base)
    current = {UNIFORM: kept.parts[UNIFORM]}
    for seed in range(options.searches):
        for name in options.only:
            experiment, part = with_search_seed(base, seed), f"{name}/{seed}"
            if not kept.has(part, experiment, AGENTS[name]):
                kept.put(part, measure(name, experiment, options.workers), experiment, AGENTS[name])
            current[part] = kept.parts[part]
            kept.write(report(current, base), comparison=compare(current))
    print(report(current, base))


if __name__ == "__main__":
    main()
