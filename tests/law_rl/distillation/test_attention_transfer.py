"""Attention transfer, against slow loops in float64."""

import math

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.attention_transfer import attention_transfer_loss


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "maps"), dtype=torch.float64)


def slow(student: Tensor, teacher: Tensor) -> float:
    n, _, height, width = student.shape
    places, errors = [(y, x) for y in range(height) for x in range(width)], []
    for sample in range(n):
        attention = []
        for maps in (student, teacher):
            values = [sum(v * v for v in maps[sample, :, y, x].tolist()) for y, x in places]
            attention.append([value / math.hypot(*values) for value in values])
        errors += [(s - t) ** 2 for s, t in zip(*attention, strict=True)]
    return math.fsum(errors) / (n * len(places))


def test_the_loss_is_that_of_slow_loops() -> None:
    student, teacher = draw(3, 4, 2, 5), draw(3, 6, 2, 5, seed=1)
    assert attention_transfer_loss(student, teacher).item() == pytest.approx(slow(student, teacher), rel=1e-12)


def test_scale_sign_and_order_of_channels_do_not_count() -> None:
    student = draw(3, 4, 2, 5)
    assert attention_transfer_loss(-3 * student[:, [2, 0, 3, 1]], student) < 1e-30


def test_the_gradient_reaches_the_student_alone() -> None:
    student, teacher = draw(2, 3, 2, 2).requires_grad_(), draw(2, 4, 2, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: attention_transfer_loss(x, teacher), (student,))
    attention_transfer_loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert student.grad is not None and student.grad.any()


def test_half_maps_are_computed_in_float32() -> None:
    student, teacher = (300 * draw(2, 4, 3, 3)).half(), draw(2, 4, 3, 3, seed=1).half()
    with torch.autocast("cpu", torch.bfloat16):
        loss = attention_transfer_loss(student, teacher)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(slow(student.double(), teacher.double()), rel=1e-5)


def test_a_map_without_activity_stays_finite() -> None:
    student, teacher = torch.zeros(2, 3, 2, 2, requires_grad=True), draw(2, 3, 2, 2).float()
    loss = attention_transfer_loss(student, teacher)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite() and not gradient.any()


def test_maps_of_other_sizes_are_refused() -> None:
    for teacher in (draw(2, 3, 4, 4), draw(2, 3)):
        with pytest.raises(ValueError, match="choose other layers, or pool"):
            attention_transfer_loss(draw(2, 3, 2, 2), teacher)
