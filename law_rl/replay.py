"""A training that stopped a run, kept with all that makes it happen again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from law_rl.actor import TableActor
from law_rl.evaluate import LEARNED, Follow
from law_rl.experiment import Experiment
from law_rl.failures import Failure
from law_rl.files import write_json
from law_rl.jobs import EPISODE, TWIN, EpisodeJob, Job, TrainingJob, TwinJob
from law_rl.journal import Journal
from law_rl.schedule import Schedule

FAILURE = "failure.json"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a run was asked for: the experiment's name and the flags that change its fields."""

    experiment: str
    overrides: tuple[str, ...] = ()


def write_failure(directory: Path, invocation: Invocation, failure: Failure) -> None:
    """Keeps a failure in a run directory."""
    write_json(directory / FAILURE, {**asdict(invocation), "failure": failure.to_json()})


def read_failure(directory: Path) -> tuple[Invocation, Failure]:
    """What `write_failure` kept; ValueError where the run directory holds none."""
    path = directory / FAILURE
    if not path.is_file():
        raise ValueError(f"{directory} holds no {FAILURE}: no training of this run has raised")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    invocation = Invocation(experiment=content["experiment"], overrides=tuple(content["overrides"]))
    return invocation, Failure.from_json(content["failure"])


def failed_job(failure: Failure, experiment: Experiment, directory: Path) -> Job:
    """The job that raised; episodes take the actions that were taken then."""
    seed = failure.training_seed
    if failure.training == TWIN:
        return TwinJob(seed=seed)
    if failure.training == EPISODE:
        warm = [(0.0,) * len(experiment.env.action.names)] * experiment.env.warmup
        actor = TableActor(actions=torch.tensor([*warm, *failure.actions]))
        curves = Journal(directory / "checkpoints").twins()
        return EpisodeJob(actor=actor, training_seed=seed, curves=curves)
    if failure.training == LEARNED:
        schedule = Schedule.load(directory / "schedule.safetensors")
        return TrainingJob(curriculum=Follow(schedule=schedule), seed=seed)
    baseline = next(baseline for baseline in experiment.baselines if baseline.name == failure.training)
    return TrainingJob(curriculum=baseline, seed=seed)
