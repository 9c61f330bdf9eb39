"""Knowledge distillation from logits, against its definition."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.kd import kd_loss


def draw(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch_generator(seed, "logits"), dtype=torch.float64)


def probabilities(row: list[float], temperature: float) -> list[float]:
    powers = [math.exp((value - max(row)) / temperature) for value in row]
    return [power / sum(powers) for power in powers]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), temperature=st.floats(0.5, 20), n=st.integers(1, 5), classes=st.integers(2, 6))
def test_it_is_the_teachers_expectation(seed: int, temperature: float, n: int, classes: int) -> None:
    student, teacher = draw(n, classes, seed=seed), draw(n, classes, seed=seed + 1)
    losses = kd_loss(student, teacher, temperature, reduction="none")
    expected = []
    for row_s, row_t in zip(student.tolist(), teacher.tolist(), strict=True):
        pairs = zip(probabilities(row_s, temperature), probabilities(row_t, temperature), strict=True)
        expected.append(temperature**2 * math.fsum(t * math.log(t / s) for s, t in pairs))
    assert losses.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert kd_loss(student, teacher, temperature).item() == pytest.approx(sum(expected) / n, rel=1e-9, abs=1e-12)


def test_the_gradient_is_the_difference_of_probabilities() -> None:
    student, teacher = draw(4, 5).requires_grad_(), draw(4, 5, seed=1)
    (gradient,) = torch.autograd.grad(kd_loss(student, teacher, 4.0), student)
    expected = 4.0 * (torch.softmax(student / 4.0, 1) - torch.softmax(teacher / 4.0, 1)) / 4
    torch.testing.assert_close(gradient, expected.detach())
    assert torch.autograd.gradcheck(lambda x: kd_loss(x, teacher, 4.0, reduction="none"), (student,))


def test_an_equal_student_has_loss_zero() -> None:
    logits = draw(4, 5).float()
    assert not kd_loss(logits, logits + 0, 4.0, reduction="none").any()
    torch.testing.assert_close(kd_loss(logits + 7.0, logits, 4.0), torch.tensor(0.0), rtol=0, atol=1e-6)


def test_the_teacher_gets_no_gradient() -> None:
    student, teacher = draw(4, 5).requires_grad_(), draw(4, 5, seed=1).requires_grad_()
    kd_loss(student, teacher, 2.0).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert student.grad is not None and student.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_inputs_and_autocast_are_computed_in_float32(dtype: torch.dtype) -> None:
    student, teacher = draw(8, 10).to(dtype), draw(8, 10, seed=1).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        losses = kd_loss(student, teacher, 4.0, reduction="none")
    assert losses.dtype == torch.float32
    exact = kd_loss(student.double(), teacher.double(), 4.0, reduction="none")
    torch.testing.assert_close(losses.double(), exact, rtol=1e-5, atol=1e-6)


def test_extreme_logits_stay_finite() -> None:
    student = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [0.0, 0.0, -math.inf]], requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 0.0], [1e4, -1e4, -math.inf], [1.0, 0.0, -math.inf]])
    losses = kd_loss(student, teacher, 1.0, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert losses[:2].tolist() == [2e4, 2e4]
    assert 0 < losses[2] < 1
    assert gradient.isfinite().all()


def test_arguments_are_checked() -> None:
    for temperature in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="temperature is"):
            kd_loss(draw(2, 3), draw(2, 3), temperature)
    with pytest.raises(ValueError, match="reduction is 'sum': use mean, or none"):
        kd_loss(draw(2, 3), draw(2, 3), 1.0, reduction="sum")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="over the same classes"):
        kd_loss(draw(2, 3), draw(2, 4), 1.0)
    with pytest.raises(ValueError, match=r"give logits \[N, C\]"):
        kd_loss(draw(3), draw(3), 1.0)
    with pytest.raises(ValueError, match="at least one sample"):
        kd_loss(draw(0, 3), draw(0, 3), 1.0)
