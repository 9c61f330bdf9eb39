"""Twins: trainings under the baseline directive, run once a seed and kept as metrics a stage."""

from collections.abc import Mapping, Sequence

from law_rl.failures import Place
from law_rl.learner import BASELINE, Learner, Snapshot, Task

Curve = tuple[float, ...]
"""The validation metric at the start and after each stage: stages + 1 entries, in points."""


def train_twin(task: Task, seed: int, place: Place | None = None) -> Curve:
    """Trains the twin of a seed to its end; `place` is moved on from stage to stage."""
    place = place or Place("twin", seed)
    twin = task.learner(seed)
    curve = [twin.evaluate("validation")[twin.metric]]
    while twin.stage < twin.stages:
        place.stage = twin.stage
        twin.train_stage(BASELINE)
        curve.append(twin.evaluate("validation")[twin.metric])
    return tuple(curve)


class TwinBook:
    """The twins' curves by seed, trained when first asked for unless given, and learners as they stand after warm-up.

    A twin's path does not depend on the policy, so an episode needs only its metrics; warm-up is the same too, and its
    state is kept in this process.
    """

    def __init__(self, task: Task, *, warmup: int, curves: Mapping[int, Curve] | None = None) -> None:
        self._task, self._warmup = task, warmup
        self._curves: dict[int, Curve] = dict(curves or {})
        self._warm: dict[int, Snapshot] = {}
        self.trained = 0

    def add(self, curves: Mapping[int, Curve]) -> None:
        """Takes curves that were trained elsewhere."""
        self._curves.update(curves)

    def curve(self, seed: int) -> Curve:
        if seed not in self._curves:
            self._curves[seed] = train_twin(self._task, seed)
            self.trained += 1
        return self._curves[seed]

    def mean_curve(self, seeds: Sequence[int]) -> Curve:
        """The mean over seeds, entry by entry: LAW's stored baseline."""
        curves = [self.curve(seed) for seed in seeds]
        return tuple(sum(values) / len(values) for values in zip(*curves, strict=True))

    def warm_learner(self, seed: int) -> Learner:
        """A learner of the seed as it stands after the warm-up stages."""
        learner = self._task.learner(seed)
        if seed in self._warm:
            learner.restore(self._warm[seed])
            return learner
        for _ in range(self._warmup):
            learner.train_stage(BASELINE)
        if self._warmup > 0:
            self._warm[seed] = learner.snapshot()
        return learner
