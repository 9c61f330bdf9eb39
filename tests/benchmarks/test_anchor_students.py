"""Students of anchors: who teaches them when, and their divergences against plain formulas."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.anchor_students import CYCLE_SEEDS, Led, TermName, divergence, of_constant, taught
from envs.distillation import TEACHER, distillation_task
from law_rl.classification.networks import NetworkConfig
from law_rl.data.dataset import normalise
from law_rl.data.places import TEACHERS
from law_rl.distillation.learner import DistillationLearner
from law_rl.distillation.task import DistillationTask
from law_rl.learner import Directive, StageReport

LAST = 7
TERMS: tuple[TermName, ...] = ("kd", "hint", "mimic")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DistillationTask]:
    """The digits with a small teacher of eight anchors, and students of eight short stages."""
    network = NetworkConfig(name="mlp", width=16, depth=1, embedding=16)
    teacher = replace(TEACHER, training=replace(TEACHER.training, network=network, epochs=8))
    small = distillation_task()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield replace(small, teacher=teacher, training=replace(small.training, epochs=16))


def outputs(learner: DistillationLearner, anchor: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits and embeddings of student and anchor on the validation images, in float64."""
    dataset = learner.dataset
    inputs = normalise(dataset.validation.images, dataset.mean, dataset.std)  # type: ignore[union-attr]
    teacher = learner.teacher.of_anchor(anchor, inputs)
    with torch.no_grad():
        embedding = learner.network.eval().embed(inputs)
        logits = learner.network.classifier(embedding)
    return logits.double(), embedding.double(), teacher.logits.double(), teacher.embedding.double()


@pytest.mark.parametrize("anchor", [2, LAST])
def test_divergences_are_those_of_the_formulas(task: DistillationTask, anchor: int) -> None:
    learners = {term: taught(task, 3, Led(indices=(anchor,)), term, 0.02) for term in TERMS}
    logits, _, teacher, _ = outputs(learners["kd"], anchor)
    ours, theirs = (torch.softmax(values / 2, 1) for values in (logits, teacher))
    expected = {"kd": 4 * (theirs * (theirs / ours).log()).sum(1).mean()}
    _, embedding, _, wanted = outputs(learners["mimic"], anchor)
    expected["mimic"] = ((embedding - wanted) ** 2).sum(1).mean()
    _, embedding, _, wanted = outputs(learners["hint"], anchor)
    adapter = learners["hint"].snapshot()["adapter"]
    adapted = embedding @ adapter["linear.weight"].double().T + adapter["linear.bias"].double()
    expected["hint"] = ((adapted - wanted) ** 2).sum(1).mean()
    for term, learner in learners.items():
        assert divergence(learner, term, "validation", anchor) == pytest.approx(expected[term].item(), rel=1e-4), term


@pytest.mark.parametrize("term", TERMS)
def test_a_student_gets_closer_than_a_constant_to_its_own_anchor(task: DistillationTask, term: TermName) -> None:
    longer = replace(task, training=replace(task.training, epochs=80))
    learner = taught(longer, 0, Led(indices=(LAST,)), term, 0.02)
    assert divergence(learner, term, "train", LAST) < 0.9 * of_constant(learner, term, "train", LAST)


def test_no_constant_is_closer_than_the_one_named(task: DistillationTask) -> None:
    learner = task.learner(0)
    _, _, logits, embedding = outputs(learner, LAST)
    least = of_constant(learner, "mimic", "validation", LAST)
    assert least == pytest.approx(embedding.var(0, correction=0).sum().item(), rel=1e-4)
    probabilities = torch.softmax(logits / 2, 1)
    constant = probabilities.mean(0).log().requires_grad_()
    value = 4 * (probabilities * (probabilities.log() - torch.log_softmax(constant, 0))).sum(1).mean()
    assert of_constant(learner, "kd", "validation", LAST) == pytest.approx(value.item(), rel=1e-4)
    (slope,) = torch.autograd.grad(value, constant)
    assert slope.abs().max() < 1e-9  # the value is convex in the constant


@pytest.mark.parametrize(
    ("led", "stages"),
    [
        (Led(indices=(1, 3, 5, 7)), [(16, anchor) for anchor in (1, 1, 3, 3, 5, 5, 7, 7)]),
        (Led(indices=(1, 3, 5, 7), cycles=True), [(4, anchor) for anchor in (1, 1, 3, 3, 5, 5, 7, 7)]),
        (Led(indices=(2,)), [(16, 2)] * 8),
    ],
)
def test_anchors_teach_in_turn(
    task: DistillationTask, led: Led, stages: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    train = DistillationLearner.train_stage

    def watched(learner: DistillationLearner, directive: Directive) -> StageReport:
        assert {term for term, weight in directive.losses.items() if weight} == {"hint"}
        seen.append((learner.config.epochs, round(directive.anchor * LAST)))
        return train(learner, directive)

    monkeypatch.setattr(DistillationLearner, "train_stage", watched)
    taught(task, 0, led, "mimic", 0.02)
    assert seen == stages


def test_cycles_go_on_with_network_and_adapter(task: DistillationTask) -> None:
    """At a rate of almost nothing all cycles together leave what the first one began with."""
    still = taught(task, 5, Led(indices=(3, 7), cycles=True), "hint", 1e-12)
    begun = taught(task, 5, Led(indices=(7,)), "hint", 1e-12)
    assert still.seed == 5 + CYCLE_SEEDS
    for part in ("network", "adapter"):
        torch.testing.assert_close(still.snapshot()[part], begun.snapshot()[part], rtol=0, atol=1e-8)
    moved = taught(task, 5, Led(indices=(3, 7), cycles=True), "hint", 0.02)
    fresh = taught(task, 5 + CYCLE_SEEDS, Led(indices=(7,)), "hint", 0.02)
    assert not torch.equal(moved.network.classifier.weight, fresh.network.classifier.weight)


def test_cycles_that_do_not_divide_the_training_are_refused(task: DistillationTask) -> None:
    with pytest.raises(ValueError, match="3 cycles do not divide 16 epochs"):
        taught(task, 0, Led(indices=(1, 4, 7), cycles=True), "kd", 0.02)


def test_a_rate_that_fails_is_named(task: DistillationTask) -> None:
    with pytest.raises(ValueError, match=r"mimic at lr 1e\+30: the training loss is not finite"):
        taught(task, 0, Led(indices=(LAST,)), "mimic", 1e30)


def test_students_are_named_after_the_epochs_of_their_anchors() -> None:
    epochs = (5, 10, 15)
    assert Led(indices=(0, 2)).label(epochs) == "5-15"
    assert Led(indices=(1,), cycles=True).label(epochs) == "cycles 10"
