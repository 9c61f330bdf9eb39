"""The EKD-like control against a plain reading in Python."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face import evaluation_knowledge
from law_rl.face.evaluation_knowledge import EvaluationKnowledge


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


class ByLoops:
    """The same over lists, with as many hard negatives as given."""

    def __init__(self, hardest: int) -> None:
        self.hardest, self.thresholds = hardest, [[math.inf] * 6, [math.inf] * 6]

    def loss(self, student: Tensor, teacher: Tensor, targets: Tensor) -> float:
        pairs = list(combinations(range(len(targets)), 2))
        cosines = [[float(torch.cosine_similarity(e[i], e[j], 0)) for i, j in pairs] for e in (student, teacher)]
        positive = [bool(targets[i] == targets[j]) for i, j in pairs]
        for side in (0, 1):
            negatives = sorted((c for c, same in zip(cosines[side], positive, strict=True) if not same), reverse=True)
            for a in range(6 if negatives else 0):
                new, old = negatives[len(negatives) // 10 ** (a + 1)], self.thresholds[side][a]
                self.thresholds[side][a] = new if old == math.inf else 0.99 * old + 0.01 * new
        places = range(len(pairs))
        hard = sorted((p for p in places if not positive[p]), key=lambda p: -cosines[0][p])[: self.hardest]
        return 0.02 * self.mismatch(cosines, [p for p in places if positive[p]]) + 0.01 * self.mismatch(cosines, hard)

    def mismatch(self, cosines: list[list[float]], chosen: list[int]) -> float:
        def rank(side: int, place: int) -> float:
            return sum(sigmoid((cosines[side][place] - threshold) / 0.01) for threshold in self.thresholds[side])

        return sum((rank(0, place) - rank(1, place)) ** 2 for place in chosen) / max(1, len(chosen))


@pytest.mark.parametrize("hardest", [2000, 20])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), identities=st.integers(1, 6))
def test_it_follows_the_plain_reading_over_batches(hardest: int, seed: int, identities: int) -> None:
    ours, plain = EvaluationKnowledge(), ByLoops(hardest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation_knowledge, "HARDEST_NEGATIVES", hardest)
        for step in range(3):
            targets = torch.randint(identities, (11,), generator=torch_generator(seed, "targets", step))
            student, teacher = draw(11, 3, seed=seed + 2 * step), draw(11, 3, seed=seed + 2 * step + 1)
            expected = plain.loss(student, teacher, targets)
            assert ours.loss(student, teacher, targets).item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
    expected_state = torch.tensor(plain.thresholds)
    torch.testing.assert_close(ours.state_dict()["thresholds"], expected_state, rtol=1e-5, atol=1e-6)


def test_an_equal_student_has_loss_and_gradient_zero() -> None:
    student, targets = draw(12, 4).requires_grad_(), torch.arange(12) % 4
    loss = EvaluationKnowledge().loss(student, student.detach(), targets)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss == 0 and not gradient.any()


@pytest.mark.parametrize("targets", [[0, 0, 0, 0], [0, 1, 2, 3], [0], [0, 1], [0, 0]])
@pytest.mark.parametrize("before", [False, True])
def test_batches_without_positives_or_negatives_are_finite(targets: list[int], before: bool) -> None:
    control = EvaluationKnowledge()
    if before:
        control.loss(draw(6, 3, seed=3), draw(6, 3, seed=4), torch.arange(6) // 2)
    student = draw(len(targets), 3).requires_grad_()
    loss = control.loss(student, draw(len(targets), 3, seed=1), torch.tensor(targets))
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite() and gradient.isfinite().all()
    if not before and len(set(targets)) == 1:
        assert loss == 0 and control.state_dict()["thresholds"].isinf().all()
    after = control.state_dict()["thresholds"]
    assert after.isfinite().all() == (before or len(set(targets)) > 1)


def test_a_batch_without_negatives_leaves_the_thresholds() -> None:
    control = EvaluationKnowledge()
    control.loss(draw(6, 3), draw(6, 3, seed=1), torch.arange(6) // 2)
    kept = control.state_dict()["thresholds"]
    control.loss(draw(4, 3), draw(4, 3, seed=1), torch.zeros(4, dtype=torch.int64))
    assert torch.equal(control.state_dict()["thresholds"], kept)


def test_odd_vectors_give_finite_losses_and_gradients() -> None:
    x = draw(1, 4)
    student = torch.cat([x, x, -x, 0 * x, 1e-30 * x, 1e30 * x]).float().requires_grad_()
    teacher = torch.cat([0 * x, x, x, -x, x, 1e30 * x]).float()
    loss = EvaluationKnowledge().loss(student, teacher, torch.tensor([0, 0, 1, 1, 2, 2]))
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite() and gradient.isfinite().all()


def test_the_gradient_is_that_of_the_loss_and_the_students_alone() -> None:
    student, teacher = draw(6, 3).requires_grad_(), draw(6, 3, seed=1).requires_grad_()
    targets = torch.arange(6) // 2
    control = EvaluationKnowledge()
    control.loss(student, teacher, targets)
    control.load_state_dict({"thresholds": torch.linspace(0.2, 0.7, 6).repeat(2, 1)})
    state = control.state_dict()

    def loss(x: Tensor) -> Tensor:
        control.load_state_dict(state)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluation_knowledge, "MOMENTUM", 0.0)  # thresholds are constants to the gradient
            return control.loss(x, teacher, targets)

    assert torch.autograd.gradcheck(loss, (student,), eps=1e-6)
    loss(student).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None


def test_a_restored_control_goes_on_bit_for_bit() -> None:
    first, second = EvaluationKnowledge(), EvaluationKnowledge()
    targets = torch.arange(8) // 2
    first.loss(draw(8, 3), draw(8, 3, seed=1), targets)
    state = first.state_dict()
    kept = state["thresholds"].clone()
    second.load_state_dict(state)
    state["thresholds"].zero_()  # a copy, both ways
    values = [one.loss(draw(8, 3, seed=2), draw(8, 3, seed=3), targets) for one in (first, second)]
    assert torch.equal(*values) and values[0] > 0
    assert not torch.equal(first.state_dict()["thresholds"], kept)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"targets have shape \(3,\): give one per sample, \[4\]"):
        EvaluationKnowledge().loss(draw(4, 3), draw(4, 3), torch.arange(3))
    with pytest.raises(ValueError, match="put an Adapter"):
        EvaluationKnowledge().loss(draw(4, 3), draw(4, 5), torch.arange(4))
