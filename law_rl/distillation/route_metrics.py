"""How well the anchors of a route do on data."""

from collections.abc import Iterable
from dataclasses import replace

from law_rl.data.training_data import TrainingData
from law_rl.distillation.route import Route
from law_rl.distillation.teacher import TeacherConfig
from law_rl.learner import SplitName


def route_metrics(
    config: TeacherConfig, dataset: TrainingData, route: Route, split: SplitName, indices: Iterable[int]
) -> list[float]:
    """The metric in percent (accuracy, or mAP for retrieval) on a split, of each of these anchors of the route.

    Measured as in the teacher's training, in its precision and on its device. Raises ValueError with the name of the
    first weight that is not one of `config.training.network`.
    """
    learner = replace(config.training, stages=1).learner(dataset, config.seed)
    own = {name: tuple(tensor.shape) for name, tensor in learner.network.state_dict().items()}
    values = []
    for index in indices:
        state = route.state(index)
        stored = {name: tuple(tensor.shape) for name, tensor in state.items()}
        for name in {**own, **stored}:
            if stored.get(name) != own.get(name):
                raise ValueError(
                    f"the teacher is another network than task.teacher.training.network: {name} is "
                    f"{stored.get(name, 'missing')} in its anchor of epoch {route.epochs[index]} and "
                    f"{own.get(name, 'missing')} in the network; change these fields"
                )
        learner.network.load_state_dict(state)
        values.append(learner.evaluate(split)[learner.metric])
    return values
