"""RKD and similarity preserving, against slow loops in float64."""

import math
from collections.abc import Callable
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.relations import rkd_angle_loss, rkd_distance_loss, similarity_preserving_loss

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: tuple[Loss, ...] = (rkd_distance_loss, rkd_angle_loss, similarity_preserving_loss)
RKD: tuple[Loss, ...] = (rkd_distance_loss, rkd_angle_loss)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


def huber(error: float) -> float:
    return error**2 / 2 if abs(error) <= 1 else abs(error) - 0.5


def slow_distance(student: Tensor, teacher: Tensor) -> float:
    pairs, relative = list(permutations(range(len(student)), 2)), []
    for points in (student.tolist(), teacher.tolist()):
        between = [math.dist(points[i], points[j]) for i, j in pairs]
        relative.append([distance / (sum(between) / len(pairs)) for distance in between])
    return math.fsum(huber(s - t) for s, t in zip(*relative, strict=True)) / len(pairs)


def cosine_at(i: list[float], j: list[float], k: list[float]) -> float:
    first, second = ([a - b for a, b in zip(end, j, strict=True)] for end in (i, k))
    lengths = math.hypot(*first) * math.hypot(*second)
    return sum(a * b for a, b in zip(first, second, strict=True)) / lengths if lengths else 0.0


def slow_angle(student: Tensor, teacher: Tensor) -> float:
    s, t = student.tolist(), teacher.tolist()
    triplets = list(permutations(range(len(s)), 3))
    errors = (cosine_at(s[i], s[j], s[k]) - cosine_at(t[i], t[j], t[k]) for i, j, k in triplets)
    return math.fsum(map(huber, errors)) / len(triplets)


def slow_similarity(student: Tensor, teacher: Tensor) -> float:
    n, rows = len(student), []
    for features in (student.flatten(1).tolist(), teacher.flatten(1).tolist()):
        gram = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in features] for x in features]
        rows.append([value / math.hypot(*row) for row in gram for value in row])
    return math.fsum((s - t) ** 2 for s, t in zip(*rows, strict=True)) / n**2


@pytest.mark.parametrize(("loss", "slow"), list(zip(LOSSES, (slow_distance, slow_angle, slow_similarity), strict=True)))
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(3, 6), spread=st.sampled_from([1.0, 30.0]))
def test_losses_are_those_of_slow_loops(
    loss: Loss, slow: Callable[[Tensor, Tensor], float], seed: int, n: int, spread: float
) -> None:
    student, teacher = draw(n, 4, seed=seed), draw(n, 3, seed=seed + 1)
    student[0] *= spread  # far enough for the linear part of the Huber loss
    assert loss(student, teacher).item() == pytest.approx(slow(student, teacher), rel=1e-10)


def test_coincident_points_count_as_right_angles() -> None:
    student, teacher = draw(5, 4), draw(5, 4, seed=1)
    student[3] = student[1]
    assert rkd_angle_loss(student, teacher).item() == pytest.approx(slow_angle(student, teacher), rel=1e-10)


def test_both_parts_of_huber_are_reached() -> None:
    student = torch.tensor([[0.0], [1.0], [100.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0], [100.0], [1.0]], dtype=torch.float64)
    means = (1 + 99 + 100) / 3
    error = 99 / means  # pairs (0, 1) and (0, 2) swap their distances 1 and 100
    assert error > 1
    assert rkd_distance_loss(student, teacher).item() == pytest.approx(2 / 3 * (error - 0.5))


def test_similarities_of_maps_are_those_of_flat_features() -> None:
    student, teacher = draw(4, 3, 2, 2), draw(4, 5, 3, 3, seed=1)
    assert similarity_preserving_loss(student, teacher).item() == pytest.approx(slow_similarity(student, teacher))


@pytest.mark.parametrize("loss", LOSSES)
def test_what_the_losses_do_not_see(loss: Loss) -> None:
    student, teacher = draw(6, 4), draw(6, 4, seed=1)
    value = loss(student, teacher)
    rotation, order = torch.linalg.qr(draw(4, 4, seed=2)).Q, torch.tensor([3, 1, 5, 0, 2, 4])
    for other in (student @ rotation, 1e4 * student):
        torch.testing.assert_close(loss(other, teacher), value)
    torch.testing.assert_close(loss(student[order], teacher[order]), value)
    assert loss(7 * teacher @ rotation, teacher) < 1e-28


@pytest.mark.parametrize("loss", RKD)
def test_rkd_does_not_see_a_shift(loss: Loss) -> None:
    student, teacher = draw(6, 4), draw(6, 4, seed=1)
    torch.testing.assert_close(loss(student + 5.0, teacher), loss(student, teacher))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_reaches_the_student_alone(loss: Loss) -> None:
    student, teacher = draw(5, 3).requires_grad_(), draw(5, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher), (student,))
    loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert student.grad is not None and student.grad.any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_inputs_and_autocast_are_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    student, teacher = draw(8, 6).to(dtype), draw(8, 6, seed=1).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(student, teacher)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(student.double(), teacher.double()).item(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_odd_points_give_finite_losses_and_gradients(loss: Loss) -> None:
    x = draw(1, 4).float()
    student = torch.cat([x, x, -x, 0 * x, x]).requires_grad_()
    teacher = torch.cat([x, 2 * x, -x, x, 0 * x])
    one_point = torch.ones(5, 4, requires_grad=True)
    for first, second in ((student, teacher), (one_point, teacher), (student, one_point), (one_point, one_point)):
        value = loss(first, second)
        (gradient,) = torch.autograd.grad(value, first)
        assert value.isfinite() and gradient.isfinite().all()
    assert loss(student, student) == 0


@pytest.mark.parametrize("loss", RKD)
def test_too_few_points_have_no_relations(loss: Loss) -> None:
    points = draw(1, 4).requires_grad_()
    value = loss(points, draw(1, 4, seed=1))
    assert value == 0
    assert not torch.autograd.grad(value, points)[0].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_shapes_are_checked(loss: Loss) -> None:
    with pytest.raises(ValueError, match="same batch"):
        loss(draw(3, 4), draw(4, 4))
    if loss in RKD:
        with pytest.raises(ValueError, match=r"give embeddings \[N, D\]"):
            loss(draw(3, 4, 2, 2), draw(3, 4, 2, 2))
