"""Runs: a search and its evaluation, kept as files in a run directory."""

import csv
import io
import math
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch

import law_rl
from law_rl.evaluate import Evaluation, Follow, applicable, evaluate
from law_rl.experiment import Experiment
from law_rl.failures import JobFailed
from law_rl.files import write_atomic, write_json
from law_rl.jobs import Workers
from law_rl.progress import Progress
from law_rl.replay import FAILURE, Invocation, write_failure
from law_rl.search import Search
from law_rl.selection import plain
from law_rl.stage_weights import BINS


class RunError(ValueError):
    """A run directory that cannot be used; its text says why and what to do."""


class RunStopped(RuntimeError):
    """A run that a training stopped; its text says where, and how to see it happen."""


def choose_directory(root: Path, name: str, out: Path | None, *, resume: bool) -> Path:
    """The run's directory: `out`, or runs/NAME, runs/NAME-2 and so on; with `resume` the newest of these that
    exists.
    """
    if out is not None:
        if resume and not (out / "config.json").is_file():
            raise RunError(
                f"{out} holds no run to resume: give the --out of a run that was started, or leave out --resume"
            )
        if not resume and out.exists() and any(out.iterdir()):
            raise RunError(f"{out} is not empty: add --resume to go on with the run in it, or give another --out")
        return out
    number, base = 1, root / "runs"
    while (directory := base / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    if not resume:
        return directory
    if number == 1:
        raise RunError(f"there is no run of {name} in {base}: leave out --resume to start one")
    return base / (name if number == 2 else f"{name}-{number - 1}")


def execute(
    experiment: Experiment,
    workers: Workers,
    directory: Path,
    *,
    invocation: Invocation,
    worker_count: int,
    resume: bool,
    started: float,
    progress: Progress,
) -> dict[str, Any]:
    """Searches, saves the schedule, evaluates it against the baselines, and writes the report; returns result.json.

    `started` is the monotonic time at which the command began; wall_s counts from there to the saved schedule.
    """
    write_json(directory / "config.json", resolved(experiment))
    search = Search(experiment, workers, directory, observer=progress.search, started=started)
    if resume and search.journal.exists:
        search.resume()
    try:
        evaluation = _search_and_evaluate(search, workers, directory, progress)
    except JobFailed as error:
        if error.failure is None:
            raise
        write_failure(directory, invocation, error.failure)
        raise RunStopped(f"{error}. To see it happen: law-rl replay {directory}") from error
    result = {"experiment": experiment.name, **evaluation.to_json(), "search": _counts(search, worker_count)}
    write_json(directory / "result.json", result)
    (directory / FAILURE).unlink(missing_ok=True)
    return result


def _search_and_evaluate(search: Search, workers: Workers, directory: Path, progress: Progress) -> Evaluation:
    experiment = search.experiment
    schedule = search.run()
    schedule.save(directory / "schedule.safetensors")
    write_episodes(directory / "episodes.csv", search)
    write_stages(directory / "stages.csv", search)
    curricula = [*applicable(experiment.baselines, experiment), Follow(schedule=schedule)]
    checkpoint = directory / "checkpoints" / "evaluation.json"
    return evaluate(experiment, curricula, workers, observer=progress.evaluation, checkpoint=checkpoint)


def _counts(search: Search, worker_count: int) -> dict[str, Any]:
    experiment = search.experiment
    return {
        "episodes": experiment.search.episodes,
        "stages": experiment.search.episodes * (experiment.task.stages - experiment.env.warmup),
        "trainings": search.trainings_total,
        "wall_s": round(search.searched_s, 2),
        "workers": worker_count,
    }


def resolved(experiment: Experiment) -> dict[str, Any]:
    """The whole configuration as JSON values, defaults filled in."""
    config = {name: _plain(value) for name, value in vars(experiment).items() if name != "baselines"}
    config["agent"] = {"name": experiment.agent.name, **config["agent"]}
    return config | {"baselines": [baseline.name for baseline in experiment.baselines], "law_rl": law_rl.__version__}


def _plain(value: Any) -> Any:
    return plain(asdict(value)) if is_dataclass(value) and not isinstance(value, type) else plain(value)


def write_episodes(path: Path, search: Search) -> None:
    """One row an episode."""
    rows = []
    for index, episode in enumerate(search.state.episodes):
        candidate = search.candidate_of(index)
        row = {
            "episode": index,
            "phase": "explore" if candidate is None else "confirm",
            "candidate": -1 if candidate is None else candidate,
            "training_seed": episode.training_seed,
            "reward": float(episode.rewards.sum()),
            "advantage": episode.advantage,
            "metric": episode.metric,
            "twin_metric": episode.twin_metric,
            "failure": episode.failure,
        }
        rows.append(row)
    _write_csv(path, rows)


def write_stages(path: Path, search: Search) -> None:
    """One row a stage of the chosen policy: mean action and mean weights over its confirming episodes."""
    episodes = search.confirmed
    warmup, names = search.experiment.env.warmup, search.experiment.env.action.names
    rows = []
    for stage in range(min(len(episode.actions) for episode in episodes)):
        actions = [_mean([float(episode.actions[stage, j]) for episode in episodes]) for j in range(len(names))]
        weights = {
            "weight_clean": _mean([float(episode.weight_clean[stage]) for episode in episodes]),
            "weight_mislabelled": _mean([float(episode.weight_mislabelled[stage]) for episode in episodes]),
        }
        by_loss = torch.stack([episode.weight_by_loss[stage] for episode in episodes]).nanmean(dim=0).tolist()
        weights |= dict(zip(BINS, by_loss, strict=True))
        rows.append({"stage": warmup + stage, **dict(zip(names, actions, strict=True)), **weights})
    _write_csv(path, rows)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode())
