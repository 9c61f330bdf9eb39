"""Correlation congruence: the identities of its equations, in float64."""

import json
import math
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks import congruence_cost
from law_rl.counters import torch_generator
from law_rl.distillation.congruence import (
    Kernel,
    Reduction,
    correlation_congruence_loss,
    polynomial,
    rbf_coefficients,
)

KERNELS: tuple[Kernel, ...] = ("rbf", "bilinear", "mmd")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


def kernel_value(x: list[float], y: list[float], kernel: Kernel, gamma: float, order: int) -> float:
    dot = math.fsum(a * b for a, b in zip(x, y, strict=True))
    if kernel == "bilinear":
        return dot
    if kernel == "mmd":
        return abs(sum(x) / len(x) - sum(y) / len(y))
    return math.fsum(math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p) * dot**p for p in range(order + 1))


def by_definition(student: Tensor, teacher: Tensor, kernel: Kernel, gamma: float, order: int, normalize: bool) -> float:
    """Equation (6) with loops over pairs."""
    rows = []
    for features in (student, teacher):
        rows.append([[v / (math.hypot(*row) if normalize else 1) for v in row] for row in features.tolist()])
    pairs = product(range(len(student)), repeat=2)
    arguments = (kernel, gamma, order)
    return (
        math.fsum(
            (kernel_value(rows[0][i], rows[0][j], *arguments) - kernel_value(rows[1][i], rows[1][j], *arguments)) ** 2
            for i, j in pairs
        )
        / len(student) ** 2
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("gamma", "order"), [(0.4, 1), (0.4, 2), (1.3, 5)])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.filterwarnings("ignore:the expansion")
def test_it_is_the_mean_over_pairs(kernel: Kernel, gamma: float, order: int, normalize: bool) -> None:
    student, teacher = draw(5, 3), draw(5, 3, seed=1)
    loss = correlation_congruence_loss(student, teacher, kernel=kernel, gamma=gamma, order=order, normalize=normalize)
    assert loss.item() == pytest.approx(by_definition(student, teacher, kernel, gamma, order, normalize), rel=1e-12)


@pytest.mark.parametrize(("order", "bound"), [(1, 0.191), (2, 0.0474), (3, 0.0091), (4, 0.0014)])
def test_the_expansion_is_off_by_at_most_its_value_at_equal_vectors(order: int, bound: float) -> None:
    cosine = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    error = (polynomial(cosine, rbf_coefficients(0.4, order)) - torch.exp(-0.4 * (2 - 2 * cosine))).abs()
    assert error.max() == error[-1] == pytest.approx(bound, rel=0.02)


def test_a_high_order_is_the_kernel_itself() -> None:
    x, y = torch.nn.functional.normalize(draw(2, 16))
    value = polynomial(x @ y, rbf_coefficients(0.4, 20))
    assert value.item() == pytest.approx(math.exp(-0.4 * float((x - y).square().sum())), rel=1e-14)


def test_order_one_is_a_share_of_bilinear() -> None:
    student, teacher = draw(8, 4), draw(8, 4, seed=1)
    linear = correlation_congruence_loss(student, teacher, order=1)
    bilinear = correlation_congruence_loss(student, teacher, kernel="bilinear")
    assert (linear / bilinear).item() == pytest.approx((0.8 * math.exp(-0.8)) ** 2) == pytest.approx(0.1292, abs=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_sum_is_n_squared_means(kernel: Kernel) -> None:
    student, teacher = draw(7, 4), draw(7, 4, seed=1)
    values: dict[Reduction, Tensor] = {
        reduction: correlation_congruence_loss(student, teacher, kernel=kernel, reduction=reduction)
        for reduction in ("sum", "mean")
    }
    assert values["sum"].item() == pytest.approx(49 * values["mean"].item())


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), width=st.integers(1, 6), gamma=st.floats(0.05, 3))
def test_the_order_of_the_batch_does_not_count(kernel: Kernel, seed: int, n: int, width: int, gamma: float) -> None:
    student, teacher = draw(n, width, seed=seed), draw(n, width, seed=seed + 1)
    order = torch.randperm(n, generator=torch_generator(seed, "order"))
    loss = correlation_congruence_loss(student, teacher, kernel=kernel, gamma=gamma)
    shuffled = correlation_congruence_loss(student[order], teacher[order], kernel=kernel, gamma=gamma)
    assert loss >= 0
    torch.testing.assert_close(shuffled, loss, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kernel", ["rbf", "bilinear"])
def test_a_rotated_teacher_is_congruent(kernel: Kernel) -> None:
    teacher = draw(9, 5)
    rotation = torch.linalg.qr(draw(5, 5, seed=1)).Q
    assert correlation_congruence_loss(teacher @ rotation, teacher, kernel=kernel) < 1e-28
    student = draw(9, 5, seed=2)
    torch.testing.assert_close(
        correlation_congruence_loss(student @ rotation, teacher, kernel=kernel),
        correlation_congruence_loss(student, teacher, kernel=kernel),
    )


@pytest.mark.parametrize("kernel", KERNELS)
def test_lengths_do_not_count_where_normalised(kernel: Kernel) -> None:
    student, teacher = draw(6, 5), draw(6, 5, seed=1)
    lengths = torch.tensor([[1e-9], [1.0], [1e30], [0.5], [7.0], [1e200]], dtype=torch.float64)
    torch.testing.assert_close(
        correlation_congruence_loss(student * lengths, teacher, kernel=kernel),
        correlation_congruence_loss(student, teacher, kernel=kernel),
    )


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_equal_student_has_loss_and_gradient_zero(kernel: Kernel) -> None:
    student = draw(6, 4).requires_grad_()
    loss = correlation_congruence_loss(student, student.detach(), kernel=kernel)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.filterwarnings("ignore:the expansion")
def test_the_gradient_is_that_of_the_loss(kernel: Kernel, order: int, normalize: bool) -> None:
    student, teacher = draw(5, 3).requires_grad_(), draw(5, 3, seed=1)
    assert torch.autograd.gradcheck(
        lambda x: correlation_congruence_loss(x, teacher, kernel=kernel, order=order, normalize=normalize), (student,)
    )


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_teacher_gets_no_gradient(kernel: Kernel) -> None:
    student, teacher = draw(5, 3).requires_grad_(), draw(5, 3, seed=1).requires_grad_()
    correlation_congruence_loss(student, teacher, kernel=kernel).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None and student.grad.any()
    assert teacher.grad is None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_inputs_and_autocast_are_computed_in_float32(kernel: Kernel, dtype: torch.dtype) -> None:
    student, teacher = draw(16, 8).to(dtype).requires_grad_(), draw(16, 8, seed=1).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        loss = correlation_congruence_loss(student, teacher, kernel=kernel)
    assert loss.dtype == torch.float32
    exact = correlation_congruence_loss(student.double(), teacher.double(), kernel=kernel)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, student)
    assert gradient.dtype == dtype


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_odd_vectors_give_finite_losses_and_gradients(kernel: Kernel, dtype: torch.dtype) -> None:
    x = draw(1, 4)
    student = torch.cat([x, x, -x, 0 * x, 1e-30 * x, 1e30 * x]).to(dtype).requires_grad_()
    teacher = torch.cat([0 * x, x, x, -x, x, 1e30 * x]).to(dtype)
    loss = correlation_congruence_loss(student, teacher, kernel=kernel)
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite() and loss > 0
    assert gradient.isfinite().all()
    assert not gradient[3:5].any()  # no direction, no gradient


def test_a_gradient_that_is_scaled_scales() -> None:
    student, teacher = draw(5, 3).requires_grad_(), draw(5, 3, seed=1)
    (one,) = torch.autograd.grad(correlation_congruence_loss(student, teacher), student)
    (many,) = torch.autograd.grad(0.003 * correlation_congruence_loss(student, teacher), student)
    torch.testing.assert_close(many, 0.003 * one)


def test_settings_and_shapes_are_checked() -> None:
    student, teacher = draw(4, 3), draw(4, 3)
    with pytest.raises(ValueError, match="kernel is 'cosine': use one of rbf, bilinear, mmd"):
        correlation_congruence_loss(student, teacher, kernel="cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reduction is 'none': use one of mean, sum"):
        correlation_congruence_loss(student, teacher, reduction="none")  # type: ignore[arg-type]
    for gamma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="gamma is"):
            correlation_congruence_loss(student, teacher, gamma=gamma)
    with pytest.raises(ValueError, match="order is 0"):
        correlation_congruence_loss(student, teacher, order=0)
    with pytest.raises(ValueError, match=r"3 dimensions and the teacher's 5: put an Adapter"):
        correlation_congruence_loss(student, draw(4, 5))
    with pytest.raises(ValueError, match="same batch"):
        correlation_congruence_loss(student, draw(5, 3))
    with pytest.raises(ValueError, match="at least one sample"):
        correlation_congruence_loss(student[:0], teacher[:0])
    with pytest.raises(ValueError, match=r"give embeddings \[N, D\]"):
        correlation_congruence_loss(draw(4, 3, 2, 2), draw(4, 3, 2, 2))


def test_the_expansion_of_vectors_as_they_are_warns() -> None:
    with pytest.warns(UserWarning, match="holds for unit vectors"):
        correlation_congruence_loss(draw(4, 3), draw(4, 3), normalize=False)


def test_the_benchmark_times_the_same_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student, teacher = torch.nn.functional.normalize(draw(6, 4)), torch.nn.functional.normalize(draw(6, 4, seed=1))
    total = correlation_congruence_loss(student, teacher, reduction="sum")
    torch.testing.assert_close(congruence_cost.row_by_row(student, teacher), total.sqrt() / 36)
    torch.testing.assert_close(congruence_cost.matrices(student, teacher), total / 36)
    options = ["--batch", "8", "--width", "4", "--rounds", "1", "--out", str(tmp_path)]
    congruence_cost.main([*options, "--torchdistill", str(tmp_path / "python")])
    assert "torchdistill is left out" in capsys.readouterr().out
    result = json.loads((tmp_path / "congruence_cost.json").read_text())
    assert len(result["seconds"]) == 3 and max(result["relative_errors"].values()) < 1e-5
