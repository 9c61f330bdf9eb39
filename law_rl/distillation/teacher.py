"""A teacher trained once: its route (RCO, 1904.09149) is kept on disk, and found again by what it was trained from."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.data.training_data import TrainingData
from law_rl.distillation.route import Route
from law_rl.distillation.route_training import ORIGIN, TRAINING, Observer, RouteTraining


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
    """The route of the teacher: that of `config.route`, else one trained on `dataset` where it has not been before, see
    `RouteTraining.kept`.

    Raises ValueError for a route of another network; for one that `train_route` wrote also where it is not finished or
    of other data; FileNotFoundError where `config.route` holds none; OSError where the cache cannot be written to.
    """
    if config.route:
        return _given(Path(config.route).expanduser(), config, dataset)
    return _route_training(config, dataset).kept(observer)


def _given(directory: Path, config: TeacherConfig, dataset: TrainingData) -> Route:
    if (directory / TRAINING).exists():
        raise ValueError(f"the teacher in {directory} is still in training: finish it with train_route")
    data = dataset.content_hash() if (directory / ORIGIN).exists() else None
    return Route.load(directory, network=teacher_network(config.training.network, dataset), data=data)


def train_route(
    config: TeacherConfig, dataset: TrainingData, directory: Path, observer: Observer | None = None
) -> Route:
    """Trains a teacher, and writes its route to a folder, see `RouteTraining.run`."""
    return _route_training(config, dataset).run(directory, observer)


def _route_training(config: TeacherConfig, dataset: TrainingData) -> RouteTraining:
    training = replace(config.training, stages=config.anchors)
    return RouteTraining(
        origin=_origin(config, dataset),
        network=teacher_network(training.network, dataset),
        learner=lambda: training.learner(dataset, config.seed),
        anchors=config.anchors,
        every=config.every,
        half=config.half,
    )


def _origin(config: TeacherConfig, dataset: TrainingData) -> dict[str, Any]:
    """What a route's anchors depend on, but for the device and the versions of law-rl and torch, as JSON values."""
    training = asdict(replace(config.training, stages=config.anchors))
    training["network"] = config.training.network.to_json()
    training.pop("device")
    parts = {f"training.{name}": value for name, value in training.items()}
    origin = {**parts, "seed": config.seed, "every": config.every, "half": config.half, "data": dataset.content_hash()}
    plain: dict[str, Any] = json.loads(json.dumps(origin))
    return plain
