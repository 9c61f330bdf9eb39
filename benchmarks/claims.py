"""What a learned schedule gains, on clean, noisy and long-tailed digits, against everything that it is held against.

Each setting is the quickstart's search on other data; its schedule, uniform weights, the hand-made baselines and
Meta-Weight-Net then train on seeds that no search has seen. Finished settings are kept in `results/claims.json`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import tyro

from benchmarks.meta_weight_net import MetaWeightNetConfig, MetaWeightNetJob
from benchmarks.running import learn, open_workers, run_jobs, with_search_seed
from benchmarks.tables import RESULTS, Kept, excludes_zero, markdown_table, signed
from envs.digits import digits_task
from experiments.quickstart import experiment as quickstart
from law_rl.evaluate import LEARNED, ORACLE, UNIFORM, Evaluation, Follow
from law_rl.experiment import EvaluationConfig, Experiment
from law_rl.jobs import Curriculum, TrainingJob
from law_rl.schedule import Schedule

SettingName = Literal["clean", "noise20", "noise30", "noise40", "noise60", "longtail100"]
DATA: dict[SettingName, tuple[str, float, float]] = {
    "clean": ("clean labels", 0.0, 1.0),
    "noise20": ("20 % uniform noise", 0.2, 1.0),
    "noise30": ("30 % uniform noise", 0.3, 1.0),
    "noise40": ("40 % uniform noise", 0.4, 1.0),
    "noise60": ("60 % uniform noise", 0.6, 1.0),
    "longtail100": ("long tail 100:1", 0.0, 100.0),
}
"""Title, LAW's eta, and largest over smallest class."""
META_WEIGHT_NET = "meta_weight_net"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure, and with how much work."""

    only: tuple[SettingName, ...] = get_args(SettingName)
    seeds: int = 5
    """Unseen training seeds."""
    searches: int = 1
    """Searches per setting, with search seeds 0, 1, ...: their spread."""
    episodes: int = quickstart.search.episodes
    workers: int = 2
    """Ray workers; 0: this process."""
    fresh: bool = False
    """Forget the settings that were measured before."""
    out: Path = RESULTS


def experiment_of(name: SettingName, options: Options) -> Experiment:
    _, noise, imbalance = DATA[name]
    return replace(
        quickstart,
        name=f"claims {name}",
        task=digits_task(noise=noise, imbalance=imbalance),
        search=replace(quickstart.search, episodes=options.episodes),
        evaluation=EvaluationConfig(seeds=options.seeds),
    )


def configuration_of(name: SettingName, options: Options) -> tuple[object, ...]:
    return experiment_of(name, options), options.searches, MetaWeightNetConfig()


def rivals_of(experiment: Experiment) -> list[Curriculum]:
    """The baselines that apply: where no label is wrong, those that must be told which are wrong are left out."""
    mislabelled = experiment.task.learner(0).mislabelled
    told = mislabelled is not None and bool(mislabelled.any())
    return [baseline for baseline in experiment.baselines if told or not baseline.needs_mislabelled]


def measure(name: SettingName, experiment: Experiment, options: Options) -> dict[str, Any]:
    """Searches and evaluates one setting: test accuracies by curriculum, searches apart."""
    title, rivals, seeds = DATA[name][0], rivals_of(experiment), experiment.evaluation.training_seeds
    with open_workers(experiment.setting, options.workers) as workers:
        schedules: list[Schedule] = []
        for seed in range(options.searches):
            schedules.append(learn(with_search_seed(experiment, seed), workers, f"{title}: search {seed}"))
        learned = [Follow(schedule=schedule, name=f"{LEARNED} {seed}") for seed, schedule in enumerate(schedules)]
        curricula: list[Curriculum] = [*learned, *rivals]
        jobs: dict[str, Any] = {
            f"{c.name}/{seed}": TrainingJob(curriculum=c, seed=seed) for c in curricula for seed in seeds
        }
        jobs |= {
            f"{META_WEIGHT_NET}/{seed}": MetaWeightNetJob(config=MetaWeightNetConfig(), seed=seed) for seed in seeds
        }
        results = run_jobs(jobs, workers, f"{title}: evaluation")
    names = [*(curriculum.name for curriculum in curricula), META_WEIGHT_NET]
    return {
        "title": title,
        "seeds": list(seeds),
        "values": {name: [results[f"{name}/{seed}"] for seed in seeds] for name in names},
        "told": [rival.name for rival in rivals if rival.needs_mislabelled],
        "searches": [
            {"validation_gain": schedule.provenance["validation_gain"], "schedule": schedule.hash}
            for schedule in schedules
        ],
    }


def compare(part: dict[str, Any]) -> dict[str, Any]:
    """Means and paired differences to uniform of all curricula, and the standing of each search's schedule."""
    evaluation = Evaluation(metric="accuracy", seeds=tuple(part["seeds"]), values=part["values"])
    curricula = {
        name: evaluation.interval(name).to_json() | {"gain": evaluation.gain(name).to_json()} for name in part["values"]
    }
    standings = []
    for search in range(len(part["searches"])):
        name = f"{LEARNED} {search}"
        rivals = [rival for rival in part["values"] if not rival.startswith(LEARNED) and rival not in part["told"]]
        mean = evaluation.interval(name).mean
        standings.append(
            {
                "search": search,
                "rank": 1 + sum(evaluation.interval(rival).mean > mean for rival in rivals),
                "of": len(rivals) + 1,
                "excludes_zero": excludes_zero(evaluation.gain(name)),
                "over_meta_weight_net": evaluation.gain(name, META_WEIGHT_NET).to_json(),
                "gap_closed": evaluation.gap_closed(name),
            }
        )
    return {"curricula": curricula, "standings": standings}


def summary_rows(part: dict[str, Any]) -> list[tuple[object, ...]]:
    """One row a search."""
    evaluation = Evaluation(metric="accuracy", seeds=tuple(part["seeds"]), values=part["values"])
    means = {name: f"{evaluation.interval(name).mean:.2f}" for name in part["values"]}
    rows: list[tuple[object, ...]] = []
    for standing in part["standings"]:
        name = f"{LEARNED} {standing['search']}"
        closed = standing["gap_closed"]
        rows.append(
            (
                part["title"],
                standing["search"],
                means[UNIFORM],
                means[name],
                signed(evaluation.gain(name)),
                "yes" if standing["excludes_zero"] else "no",
                f"{standing['rank']} of {standing['of']}",
                means[META_WEIGHT_NET],
                signed(evaluation.gain(name, META_WEIGHT_NET)),
                means.get(ORACLE, ""),
                "" if closed is None else f"{100 * closed:.0f} %",
            )
        )
    return rows


SUMMARY = (
    "setting",
    "search",
    "uniform",
    "learned",
    "learned - uniform",
    "excludes zero",
    "rank",
    "Meta-Weight-Net",
    "learned - MWN",
    "oracle",
    "gap closed",
)


def setting_table(part: dict[str, Any]) -> str:
    """All curricula of a setting, best first."""
    evaluation = Evaluation(metric="accuracy", seeds=tuple(part["seeds"]), values=part["values"])
    names = sorted(part["values"], key=lambda name: -evaluation.interval(name).mean)
    rows = [
        (
            name,
            str(evaluation.interval(name)),
            signed(evaluation.gain(name)) if name != UNIFORM else "",
            "yes" if name in part["told"] else "",
        )
        for name in names
    ]
    header = ("curriculum", "test accuracy", "over uniform", "told which labels are wrong")
    return f"### {part['title']}\n\n{markdown_table(header, rows)}"


def report(parts: dict[SettingName, dict[str, Any]]) -> str:
    summary = markdown_table(SUMMARY, [row for part in parts.values() for row in summary_rows(part)])
    note = (
        "Test accuracy in percent, mean over unseen seeds; differences are paired, with 95 % t intervals, in points. "
        "The rank is among all that are not told which labels are wrong."
    )
    return "\n\n".join([note, summary, *map(setting_table, parts.values())])


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    kept = Kept(options.out, "claims", fresh=options.fresh)
    configurations = {name: configuration_of(name, options) for name in DATA}
    for name in options.only:
        if not kept.has(name, configurations[name]):
            part = measure(name, experiment_of(name, options), options)
            kept.put(name, part | compare(part), configurations[name])
        current = {name: kept.parts[name] for name in DATA if kept.has(name, configurations[name])}
        kept.write(report(current))
    print(report({name: kept.parts[name] for name in options.only}))


if __name__ == "__main__":
    main()
