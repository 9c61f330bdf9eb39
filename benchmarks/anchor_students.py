"""Students that one term of the loss teaches, by a teacher's anchors in turn, and how far from the teacher they end."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from law_rl.classification.networks import NetworkConfig
from law_rl.data.dataset import Dataset, Split, normalise
from law_rl.distillation.hint import Adapter, mimic_loss
from law_rl.distillation.kd import kd_loss
from law_rl.distillation.learner import DistillationConfig, DistillationLearner
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher_outputs import TeacherOutput
from law_rl.learner import SplitName
from policies.distillation import Rco

TermName = Literal["kd", "hint", "mimic"]
LOSS: dict[TermName, str] = {"kd": "kd", "hint": "hint", "mimic": "hint"}
"""The learner's name of the term; it puts an adapter between embeddings of unequal widths."""
HINT_WIDTH = 4
"""The embedding's width in a student that learns hints: narrower than its hidden layer of 8, for from 8 on a linear
adapter to the teacher's 16 makes the functions that mimicry without one makes.
"""
CYCLE_SEEDS = 10_000
"""Between the seeds of a student's cycles, which draw other batches each."""


@dataclass(frozen=True, kw_only=True)
class Led:
    """The anchors that teach a student in turn, for as long each, by their indices on the route.

    All share the training's one schedule of the learning rate, or each has a cycle of its own, as long as its share.
    """

    indices: tuple[int, ...]
    cycles: bool = False

    def label(self, epochs: tuple[int, ...]) -> str:
        """The epochs of its anchors, by those of the route."""
        return ("cycles " if self.cycles else "") + "-".join(str(epochs[index]) for index in self.indices)


def taught(task: DistillationTask, seed: int, led: Led, term: TermName, lr: float) -> DistillationLearner:
    """A student at the end of the task's epochs, taught by this term alone; ValueError where its loss is not finite."""
    parts = [(index,) for index in led.indices] if led.cycles else [led.indices]
    task = replace(task, training=_training(task.training, term, lr, len(parts)))
    learner = task.learner(seed)
    for cycle, indices in enumerate(parts):
        if cycle:
            learner = _gone_on_with(learner, task.learner(seed + cycle * CYCLE_SEEDS))
        rule = Rco(indices=indices, losses=((LOSS[term], 1.0),))
        while learner.stage < learner.stages:
            failure = learner.train_stage(rule.directive(learner)).failure
            if failure:
                raise ValueError(f"{term} at lr {lr}: {failure}: leave out this learning rate")
    return learner


def _training(training: DistillationConfig, term: TermName, lr: float, cycles: int) -> DistillationConfig:
    if training.epochs % cycles or training.stages % cycles:
        raise ValueError(f"{cycles} cycles do not divide {training.epochs} epochs and {training.stages} stages")
    return replace(
        training,
        network=_network(training.network, term),
        optimiser=replace(training.optimiser, lr=lr),
        epochs=training.epochs // cycles,
        stages=training.stages // cycles,
    )


def _network(network: NetworkConfig, term: TermName) -> NetworkConfig:
    return replace(network, embedding=HINT_WIDTH) if term == "hint" else network


def _gone_on_with(learner: DistillationLearner, fresh: DistillationLearner) -> DistillationLearner:
    """The fresh learner with the other's network and adapter, and an optimiser without memory."""
    before = learner.snapshot()
    weights = {name: before[name] for name in ("network", "adapter") if name in before}
    fresh.restore({**fresh.snapshot(), **weights})
    return fresh


@torch.no_grad()
def divergence(learner: DistillationLearner, term: TermName, split: SplitName, anchor: int) -> float:
    """The term's value, as it is trained on, between student and one anchor, on all images of a split."""
    inputs = _inputs(learner, split)
    embedding = learner.network.eval().embed(inputs)
    logits = learner.network.classifier(embedding)
    if term == "hint":
        embedding = _adapter(learner)(embedding)
    return _value(learner, term, logits, embedding, learner.teacher.of_anchor(anchor, inputs))


@torch.no_grad()
def of_constant(learner: DistillationLearner, term: TermName, split: SplitName, anchor: int) -> float:
    """The least divergence from an anchor that one output for all images of a split can have: the mean of the anchor's
    embeddings or, for KD, of its probabilities at the temperature of training.
    """
    teacher = learner.teacher.of_anchor(anchor, _inputs(learner, split))
    temperature = learner.config.temperature
    logits = temperature * torch.softmax(teacher.logits / temperature, 1).mean(0).log()
    embedding = teacher.embedding.mean(0)
    return _value(learner, term, logits.expand_as(teacher.logits), embedding.expand_as(teacher.embedding), teacher)


def _value(
    learner: DistillationLearner, term: TermName, logits: Tensor, embedding: Tensor, teacher: TeacherOutput
) -> float:
    if term == "kd":
        return kd_loss(logits, teacher.logits, learner.config.temperature).item()
    return mimic_loss(embedding, teacher.embedding).item()


def _inputs(learner: DistillationLearner, split: SplitName) -> Tensor:
    assert isinstance(learner.dataset, Dataset)
    data: Split = getattr(learner.dataset, split)
    return normalise(data.images, learner.dataset.mean, learner.dataset.std)


def _adapter(learner: DistillationLearner) -> Adapter:
    state: dict[str, Any] = dict(learner.snapshot()["adapter"])
    adapter = Adapter(learner.network.width, learner.teacher.width, seed=learner.seed)
    adapter.load_state_dict(state)
    return adapter
