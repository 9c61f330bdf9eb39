"""Schedules: a learned curriculum in one file, loaded strictly and followed from anybody's training loop."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from law_rl.actions import Action, action_from_json
from law_rl.actor import MlpActor, TableActor, actor_from_tree
from law_rl.files import load_tree, save_tree
from law_rl.learner import Directive
from law_rl.observation import ENTRIES, StageView, check_observation_names, observe

if TYPE_CHECKING:
    from law_rl.follower import Follower

FORMAT = "law-rl schedule"
VERSION = 1


class ScheduleError(ValueError):
    """A schedule file that cannot be used; its text says in one sentence why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A learned curriculum: an actor, what it sees, what its actions mean, and how it was learned.

    `stages` and `warmup` are those of the training it was learned on; a follower stretches them to its own length.
    `provenance` holds plain JSON values: environment, seeds, data hash, package versions, measured gain.
    """

    actor: TableActor | MlpActor
    action: Action
    observation: tuple[str, ...]
    stages: int
    warmup: int
    memory_decay: float
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_observation_names(self.observation)
        if not 0 <= self.warmup < self.stages:
            raise ScheduleError(
                f"warmup is {self.warmup} of {self.stages} stages: leave at least one stage to the schedule"
            )
        if not 0 <= self.memory_decay < 1:
            raise ScheduleError(f"memory_decay is {self.memory_decay}: give a number from 0 to below 1")
        try:
            action = self.actor.act(torch.zeros(len(self.observation)), 0)
        except (RuntimeError, IndexError, ValueError) as error:
            raise ScheduleError(f"the actor does not fit the observation {', '.join(self.observation)}") from error
        _check_finite(self._body())
        if action.shape != (len(self.action.names),):
            raise ScheduleError(
                f"the actor gives {tuple(action.shape)} numbers where {len(self.action.names)} have a meaning"
            )

    @property
    def kind(self) -> str:
        """ "table" (fixed directives per stage) or "policy" (a network that looks at the training it steers)."""
        return "table" if isinstance(self.actor, TableActor) else "policy"

    @property
    def needs_validation(self) -> bool:
        """Whether following needs validation data or a twin, which most hosts have not."""
        return any(ENTRIES[name].needs_validation for name in self.observation)

    def directive(self, view: StageView) -> Directive:
        """The directive of the stage that begins at `view`; the twin's during warm-up."""
        stage = view.stage * self.stages // view.stages
        if stage < self.warmup:
            return Directive()
        observation = torch.from_numpy(observe(self.observation, view))
        return self.action.directive(self.actor.act(observation, stage).tolist())

    def follow(self, total_steps: int, *, targets: torch.Tensor | None = None) -> "Follower":
        """A follower for a training of `total_steps` steps.

        `targets` (int64 [N]) are the training set's labels, wanted by schedules whose features remember single samples.
        """
        from law_rl.follower import Follower

        return Follower(self, total_steps, targets=targets)

    def save(self, path: str | Path) -> None:
        """Writes the schedule as one safetensors file, whole or not at all."""
        body = self._body()
        save_tree(Path(path), {"format": FORMAT, "version": VERSION, "body": body, "sha256": _digest(body)})

    @property
    def hash(self) -> str:
        """SHA-256 of the content, in hex: equal schedules have equal hashes wherever they were learned."""
        return _digest(self._body())

    def _body(self) -> dict[str, Any]:
        return {
            "actor": self.actor.to_tree(),
            "action": {**self.action.to_json(), "names": list(self.action.names)},
            "observation": list(self.observation),
            "stages": self.stages,
            "warmup": self.warmup,
            "memory_decay": self.memory_decay,
            "provenance": dict(self.provenance),
        }

    def to_json(self) -> dict[str, Any]:
        """The contents as plain JSON values, tensors as nested lists."""
        content: dict[str, Any] = _plain_tensors({"kind": self.kind, "sha256": self.hash, **self._body()})
        return content

    @staticmethod
    def load(path: str | Path) -> "Schedule":
        """The schedule of a file. ScheduleError, one sentence, for a truncated, foreign, newer or tampered one."""
        path = Path(path)
        if not path.is_file():
            raise ScheduleError(
                f"there is no schedule at {path}: give the path of a .safetensors file that a search wrote"
            )
        try:
            tree = load_tree(path)
        except ValueError as error:
            raise ScheduleError(
                f"{path} is truncated or not a schedule: copy it again from where it was learned"
            ) from error
        if tree.get("format") != FORMAT:
            raise ScheduleError(f"{path} is a file of another kind: give the schedule.safetensors that a search wrote")
        if tree.get("version") != VERSION:
            raise ScheduleError(
                f"{path} has schedule version {tree.get('version')}, this law-rl reads {VERSION}: upgrade law-rl"
            )
        if not isinstance(tree.get("body"), dict) or _digest(tree["body"]) != tree.get("sha256"):
            raise ScheduleError(
                f"{path} was changed after it was written, its hash differs: copy it again from its source"
            )
        return _from_body(tree["body"], path)


def _from_body(body: Mapping[str, Any], path: Path) -> Schedule:
    try:
        return Schedule(
            actor=actor_from_tree(body["actor"]),
            action=action_from_json(body["action"]),
            observation=tuple(body["observation"]),
            stages=body["stages"],
            warmup=body["warmup"],
            memory_decay=body["memory_decay"],
            provenance=body["provenance"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ScheduleError(
            f"{path} lacks an entry of a schedule ({error}): write it anew with the law-rl that made it"
        ) from error
    except ValueError as error:
        raise ScheduleError(f"{path} cannot be used: {error}") from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_fingerprint(value), sort_keys=True).encode()).hexdigest()


def _fingerprint(value: Any) -> Any:
    """The value with each tensor replaced by its dtype, its shape and the hash of its bytes."""
    if isinstance(value, torch.Tensor):
        content = value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return {"tensor": [str(value.dtype), list(value.shape), hashlib.sha256(content).hexdigest()]}
    if isinstance(value, Mapping):
        return {str(key): _fingerprint(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_fingerprint(entry) for entry in value]
    return value


def _check_finite(value: Any) -> None:
    if isinstance(value, torch.Tensor) and not value.isfinite().all():
        raise ScheduleError("the schedule holds a number that is not finite: search again with a lower learning rate")
    if isinstance(value, float) and not math.isfinite(value):
        raise ScheduleError("the schedule's provenance holds a number that is not finite: leave it out")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            _check_finite(entry)


def _plain_tensors(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain_tensors(entry) for key, entry in value.items()}
    return value
