"""A teacher trained once: its route (RCO, 1904.09149) is kept on disk, and found again by what it was trained from."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig
from law_rl.data.places import TEACHERS
from law_rl.data.training_data import TrainingData
from law_rl.distillation.route import INDEX, Route, RouteWriter
from law_rl.files import load_tree, save_tree, write_json
from law_rl.learner import BASELINE

ORIGIN = "teacher.json"
TRAINING = "training.safetensors"

Observer = Callable[[int, int], None]
"""Called after each stage of a training with the stages done and the stages in all."""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """How a teacher is trained, and which of its checkpoints are anchors of its route.

    `training.stages` does not count: a stage is `every` epochs, and an anchor is saved after each. `half` stores
    matrices and convolutions as float16. `route` names a folder that holds a route already, imported or trained
    elsewhere; empty: the teacher is trained when it is first needed, see `teacher_route`.
    """

    training: ClassificationConfig
    seed: int = 0
    every: int = 1
    half: bool = False
    route: str = ""

    def __post_init__(self) -> None:
        if self.every < 1 or self.training.epochs % self.every:
            raise ValueError(
                f"every is {self.every}, which does not divide training.epochs {self.training.epochs}: "
                "give a number of epochs that does"
            )

    @property
    def anchors(self) -> int:
        """The anchors of the finished route."""
        return self.training.epochs // self.every


def teacher_network(config: NetworkConfig, dataset: TrainingData) -> dict[str, Any]:
    """What a route's index says of a teacher's network: its configuration, `image_shape` and `classes`."""
    return {**config.to_json(), "image_shape": dataset.image_shape, "classes": dataset.classes}


def teacher_route(config: TeacherConfig, dataset: TrainingData, observer: Observer | None = None) -> Route:
    """The route of the teacher: that of `config.route`, else one trained on `dataset` where it has not been before.

    It is kept in `teachers_folder`: a folder per teacher, named after a hash of configuration, data and version of
    torch, with a file of the network's size per anchor. Delete a folder in there, or all, to free the space. One
    process of a node trains while the others wait; should it die, the next goes on. All files are read and checked at
    each call: keep what it returns.

    Raises ValueError for a route of another network; for one that `train_route` wrote also where it is not finished or
    of other data; FileNotFoundError where `config.route` holds none; OSError where the cache cannot be written to.
    """
    if config.route:
        return _given(Path(config.route).expanduser(), config, dataset)
    folder = teachers_folder()
    origin = json.dumps(_origin(config, dataset), sort_keys=True)
    version = torch.__version__.split("+")[0]
    key = hashlib.sha256(f"{version} {origin}".encode()).hexdigest()
    finished = _finished(folder / key, config.anchors)
    if finished is not None:
        return finished
    with _alone(folder / f"{key}.lock"):
        return train_route(config, dataset, folder / key, observer)


def teachers_folder() -> Path:
    """The folder that $LAW_RL_TEACHERS names, else ~/.cache/law_rl/teachers."""
    return Path(os.environ.get(TEACHERS, "") or "~/.cache/law_rl/teachers").expanduser()


def _given(directory: Path, config: TeacherConfig, dataset: TrainingData) -> Route:
    if (directory / TRAINING).exists():
        raise ValueError(f"the teacher in {directory} is still in training: finish it with train_route")
    data = dataset.content_hash() if (directory / ORIGIN).exists() else None
    return Route.load(directory, network=teacher_network(config.training.network, dataset), data=data)


def train_route(
    config: TeacherConfig, dataset: TrainingData, directory: Path, observer: Observer | None = None
) -> Route:
    """Trains a teacher under the baseline directive, and writes its route, with validation accuracies, to a folder.

    A finished route in the folder is loaded. Killed at any moment and called again, it goes on from the last stage and
    ends with the same bits. Only one process may train in a folder at a time.

    Raises ValueError where the loss is not finite, and for a folder that is of something else.
    """
    origin = _origin(config, dataset)
    _claim(directory, origin)
    finished = _finished(directory, config.anchors)
    if finished is not None:
        return finished
    training, network = config.training, teacher_network(config.training.network, dataset)
    epochs, every = training.epochs, config.every
    writer = RouteWriter(directory, network=network, data=origin["data"], every=every, epochs=epochs, half=config.half)
    learner = replace(training, stages=config.anchors).learner(dataset, config.seed)
    _resume(learner, directory, len(writer.route))
    while len(writer.route) < config.anchors:
        if learner.stage <= len(writer.route):
            _check(learner, learner.train_stage(BASELINE).failure)
            save_tree(directory / TRAINING, learner.snapshot())
        metrics = learner.evaluate("validation")
        _check(learner, "" if all(map(math.isfinite, metrics.values())) else "a validation metric is not finite")
        writer.save(learner.stage * every, learner.network, metrics[learner.metric])
        if observer is not None:
            observer(learner.stage, config.anchors)
    (directory / TRAINING).unlink()
    return writer.route


def _check(learner: ClassificationLearner, failure: str) -> None:
    if failure:
        raise ValueError(
            f"teacher: {failure} after {learner.stage} of {learner.stages} stages: lower training.optimiser.lr, now "
            f"{learner.config.optimiser.lr}"
        )


def _resume(learner: ClassificationLearner, directory: Path, anchors: int) -> None:
    """Restores the last stage trained, unless anchors before it are missing: then all is trained again."""
    path = directory / TRAINING
    if path.exists():
        snapshot = load_tree(path)
        if snapshot["stage"] - anchors in (0, 1):
            learner.restore(snapshot)


def _finished(directory: Path, anchors: int) -> Route | None:
    """The route in a folder where it has all its anchors; None where it is still in training, or there is none."""
    if (directory / TRAINING).exists() or not (directory / INDEX).exists():
        return None
    route = Route.load(directory)
    return route if len(route) == anchors else None


def _origin(config: TeacherConfig, dataset: TrainingData) -> dict[str, Any]:
    """What a route's anchors depend on, but for the device and the versions of law-rl and torch, as JSON values."""
    training = asdict(replace(config.training, stages=config.anchors))
    training["network"] = config.training.network.to_json()
    training.pop("device")
    parts = {f"training.{name}": value for name, value in training.items()}
    origin = {**parts, "seed": config.seed, "every": config.every, "half": config.half, "data": dataset.content_hash()}
    plain: dict[str, Any] = json.loads(json.dumps(origin))
    return plain


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
