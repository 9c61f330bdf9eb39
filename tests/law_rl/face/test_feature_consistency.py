"""Feature consistency: twice one minus the cosine."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.feature_consistency import feature_consistency_loss


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), width=st.integers(1, 6))
def test_it_is_two_minus_two_cosines(seed: int, n: int, width: int) -> None:
    student, teacher = draw(n, width, seed=seed), draw(n, width, seed=seed + 1)
    losses = feature_consistency_loss(student, teacher, reduction="none")
    torch.testing.assert_close(losses, 2 - 2 * torch.cosine_similarity(student, teacher), atol=1e-12, rtol=1e-10)
    torch.testing.assert_close(feature_consistency_loss(student, teacher), losses.mean())


def test_lengths_do_not_count_and_known_angles_do() -> None:
    x = draw(1, 4)
    student = torch.cat([x, 1e30 * x, -3 * x, 0 * x]).requires_grad_()
    losses = feature_consistency_loss(student, torch.cat([7 * x] * 4), reduction="none")
    torch.testing.assert_close(losses, torch.tensor([0.0, 0.0, 4.0, 1.0], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert gradient.isfinite().all() and not gradient[3].any()


def test_the_gradient_is_that_of_the_loss_and_the_students_alone() -> None:
    student, teacher = draw(3, 4).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: feature_consistency_loss(x, teacher), (student,))
    feature_consistency_loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None


def test_half_inputs_under_autocast_are_computed_in_float32() -> None:
    student, teacher = draw(8, 4).bfloat16(), draw(8, 4, seed=1).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = feature_consistency_loss(student, teacher)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(feature_consistency_loss(student.double(), teacher.double()).item(), rel=1e-6)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 dimensions and the teacher's 5: put an Adapter"):
        feature_consistency_loss(draw(4, 3), draw(4, 5))
    with pytest.raises(ValueError, match="reduction is 'sum'"):
        feature_consistency_loss(draw(4, 3), draw(4, 3), reduction="sum")  # type: ignore[arg-type]
