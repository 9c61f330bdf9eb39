"""A teacher's training as a route (RCO, 1904.09149): one anchor after another, kept on disk and found again."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from law_rl.classification.staged_learner import StagedLearner
from law_rl.data.places import TEACHERS
from law_rl.distillation.route import INDEX, Route, RouteWriter
from law_rl.files import load_tree, save_tree, write_json
from law_rl.learner import BASELINE

ORIGIN = "teacher.json"
TRAINING = "training.safetensors"

Observer = Callable[[int, int], None]
"""Called after each stage of a training with the stages done and the stages in all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RouteTraining:
    """A teacher that is trained, or was: `origin` is all that its anchors depend on, but for the device and the
    versions of law-rl and torch, as JSON values with an entry `data`; `network` what the route's index says of it.

    `learner` makes it, with `anchors` stages of `every` epochs each. `half` stores matrices and convolutions as
    float16.
    """

    origin: Mapping[str, Any]
    network: Mapping[str, Any]
    learner: Callable[[], StagedLearner]
    anchors: int
    every: int
    half: bool

    def kept(self, observer: Observer | None = None) -> Route:
        """The route in `teachers_folder`, trained there where it has not been before.

        A folder per teacher, named after a hash of its origin and the version of torch, holds a file of the network's
        size per anchor. Delete a folder in there, or all, to free the space. One process of a node trains while the
        others wait; should it die, the next goes on. All files are read and checked at each call: keep what it returns.
        """
        folder = teachers_folder()
        version = torch.__version__.split("+")[0]
        key = hashlib.sha256(f"{version} {json.dumps(self.origin, sort_keys=True)}".encode()).hexdigest()
        finished = self._finished(folder / key)
        if finished is not None:
            return finished
        with _alone(folder / f"{key}.lock"):
            return self.run(folder / key, observer)

    def run(self, directory: Path, observer: Observer | None = None) -> Route:
        """Trains under the baseline directive, and writes the route, with validation metrics, to a folder.

        A finished route in the folder is loaded. Killed at any moment and called again, it goes on from the last stage
        and ends with the same bits. Only one process may train in a folder at a time.

        Raises ValueError where the loss is not finite, and for a folder that is of something else.
        """
        _claim(directory, self.origin)
        finished = self._finished(directory)
        if finished is not None:
            return finished
        writer = RouteWriter(
            directory,
            network=self.network,
            data=self.origin["data"],
            every=self.every,
            epochs=self.every * self.anchors,
            half=self.half,
        )
        learner = self.learner()
        _resume(learner, directory, len(writer.route))
        while len(writer.route) < self.anchors:
            if learner.stage <= len(writer.route):
                _check(learner, learner.train_stage(BASELINE).failure)
                save_tree(directory / TRAINING, learner.snapshot())
            metrics = learner.evaluate("validation")
            _check(learner, "" if all(map(math.isfinite, metrics.values())) else "a validation metric is not finite")
            writer.save(learner.stage * self.every, learner.network, metrics[learner.metric])
            if observer is not None:
                observer(learner.stage, self.anchors)
        (directory / TRAINING).unlink()
        return writer.route

    def _finished(self, directory: Path) -> Route | None:
        """The route in a folder where it has all its anchors; None where it is still in training, or there is none."""
        if (directory / TRAINING).exists() or not (directory / INDEX).exists():
            return None
        route = Route.load(directory)
        return route if len(route) == self.anchors else None


def teachers_folder() -> Path:
    """The folder that $LAW_RL_TEACHERS names, else ~/.cache/law_rl/teachers."""
    return Path(os.environ.get(TEACHERS, "") or "~/.cache/law_rl/teachers").expanduser()


def _check(learner: StagedLearner, failure: str) -> None:
    if failure:
        raise ValueError(
            f"teacher: {failure} after {learner.stage} of {learner.stages} stages: lower training.optimiser.lr, now "
            f"{learner.config.optimiser.lr}"
        )


def _resume(learner: StagedLearner, directory: Path, anchors: int) -> None:
    """Restores the last stage trained, unless anchors before it are missing: then all is trained again."""
    path = directory / TRAINING
    if path.exists():
        snapshot = load_tree(path)
        if snapshot["stage"] - anchors in (0, 1):
            learner.restore(snapshot)


def _claim(directory: Path, origin: Mapping[str, Any]) -> None:
    """Notes the origin in the folder; ValueError where the folder is of another."""
    path = directory / ORIGIN
    if not path.exists():
        if (directory / INDEX).exists():
            raise ValueError(f"{directory} holds a route that was not trained here: give a new folder")
        write_json(path, origin)
        return
    try:
        noted = dict(json.loads(path.read_bytes()))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete the folder to train again, or restore a copy") from error
    for name in sorted({*noted, *origin}):
        if noted.get(name) != origin.get(name):
            raise ValueError(
                f"{directory} is of another teacher: its {name} is {noted.get(name)!r}, not {origin.get(name)!r}; "
                "give a new folder"
            )


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Within it no other process of the node is within it for the same file; where there is no fcntl, it may be."""
    with contextlib.ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("w"))
            with contextlib.suppress(ImportError):
                import fcntl  # not on Windows

                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            reason = f"{error.strerror}, and teachers are kept there: let {TEACHERS} name a folder to write to"
            raise OSError(error.errno, reason, str(lock)) from error
        yield
