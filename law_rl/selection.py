"""Selection: which of a search's candidates becomes the schedule, and what the schedule says of its origin."""

import importlib.metadata
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

import law_rl
from law_rl.actor import MlpActor, TableActor
from law_rl.agent import Episode
from law_rl.experiment import Experiment
from law_rl.schedule import Schedule
from law_rl.statistics import mean_interval

PROVENANCE_PACKAGES = ("torch", "gymnasium", "stable-baselines3", "numpy")


def choose(
    candidates: list[TableActor | MlpActor], confirmed: list[list[Episode]], baseline: Sequence[float]
) -> tuple[TableActor | MlpActor, list[Episode]]:
    """The candidate with the best mean gain over its confirming episodes, which come with it.

    Where even that gain is not above its own standard error, the twin's action `baseline`, with the twins' results: a
    schedule that has not been seen to help is not handed on.
    """
    gains = [[episode.advantage for episode in episodes] for episodes in confirmed]
    best = max(range(len(candidates)), key=lambda k: (math.fsum(gains[k]), -k))
    error = statistics.stdev(gains[best]) / math.sqrt(len(gains[best])) if len(gains[best]) > 1 else 0.0
    if statistics.fmean(gains[best]) > error:
        return candidates[best], confirmed[best]
    twins = [as_twin(episode, baseline) for episode in confirmed[best]]
    return TableActor(actions=twins[0].actions[:1]), twins


def as_twin(episode: Episode, baseline: Sequence[float]) -> Episode:
    """What the episode would have been under the twin's action."""
    unknown = torch.full_like(episode.weight_clean, math.nan)
    return replace(
        episode,
        actions=episode.actions.new_tensor(baseline).expand_as(episode.actions).clone(),
        rewards=torch.zeros_like(episode.rewards),
        metric=episode.twin_metric,
        failure="",
        weight_clean=unknown,
        weight_mislabelled=unknown,
        weight_by_loss=torch.full_like(episode.weight_by_loss, math.nan),
    )


def make_schedule(experiment: Experiment, actor: TableActor | MlpActor, confirmed: list[Episode]) -> Schedule:
    """The schedule of a chosen actor, with where it comes from and what it gained on the pool's seeds."""
    gain = mean_interval([episode.advantage for episode in confirmed])
    stages = min(len(episode.actions) for episode in confirmed)
    actions = torch.stack([episode.actions[:stages] for episode in confirmed]).mean(dim=0)
    versions = {name: importlib.metadata.version(name) for name in PROVENANCE_PACKAGES}
    provenance = {
        "experiment": experiment.name,
        "task": experiment.task.describe(),
        "env": plain(asdict(experiment.env)),
        "agent": {"name": experiment.agent.name, **plain(vars(experiment.agent))},
        "search": plain(asdict(experiment.search)),
        "training_seeds": list(experiment.env.seeds),
        "versions": {"law-rl": law_rl.__version__, **versions},
        "validation_gain": {
            "over": experiment.reference,
            "mean": gain.mean,
            "ci95": [gain.low, gain.high],
            "seeds": len(confirmed),
        },
        "typical_actions": [[round(float(v), 6) for v in row] for row in actions],
    }
    return Schedule(
        actor=actor,
        action=experiment.env.action,
        observation=experiment.env.observation,
        stages=experiment.task.stages,
        warmup=experiment.env.warmup,
        memory_decay=experiment.task.memory_decay,
        provenance=plain(provenance),
    )


def plain(value: Any) -> Any:
    """JSON's own types: tuples become lists, keys strings."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value
