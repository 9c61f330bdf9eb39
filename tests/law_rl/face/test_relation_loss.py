"""The relation loss against loops over anchors and partners, and the identities of its readings."""

import itertools
import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.classification.staged_learner import deterministic_kernels
from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.feature_consistency import feature_consistency_loss
from law_rl.face.identity_bank import IdentityBank
from law_rl.face.partners import random_partners
from law_rl.face.relation_config import Bank, Distance, Partners, RelationConfig, Side
from law_rl.face.relation_loss import products, relation_loss

WIDTH, COUNT = 4, 3
COMBINATIONS = [
    (side, distance, partners, positives, bank)
    for side, distance, partners, positives, bank in itertools.product(
        get_args(Side), get_args(Distance), get_args(Partners), (False, True), get_args(Bank)
    )
    if (side, bank) != ("student", "static")
]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


def hardest(entries: Tensor, count: int) -> Tensor:
    cosines = entries @ entries.T
    return cosines.fill_diagonal_(-2).topk(count).indices


def case(
    config: RelationConfig, identities: int, seed: int = 0, batch: int = 7
) -> tuple[Tensor, Tensor, Tensor, IdentityBank, Tensor | None]:
    """Embeddings, targets, a bank after one update, and partners."""
    bank = IdentityBank(draw(identities, WIDTH, seed=seed), config)
    generator = torch_generator(seed, "targets")
    bank.update(
        draw(5, WIDTH, seed=seed + 1),
        draw(5, WIDTH, seed=seed + 2),
        torch.randint(identities, (5,), generator=generator),
    )
    targets = torch.randint(identities, (batch,), generator=generator)
    partners = None
    if config.partners == "hardest":
        partners = hardest(bank.teacher, config.count)
    if config.partners == "random":
        partners = random_partners(identities, config.count, seed)
    return draw(batch, WIDTH, seed=seed + 3), draw(batch, WIDTH, seed=seed + 4), targets, bank, partners


def cosine(x: list[float], y: list[float]) -> float:
    """Of x with any length and y with length 1."""
    length = math.hypot(*x)
    return math.fsum(a * b for a, b in zip(x, y, strict=True)) / length if length else 0.0


def distance(d: float, config: RelationConfig) -> float:
    if config.distance == "l1":
        return abs(d)
    if config.distance == "l2":
        return d * d
    if config.distance == "hinge":
        return max(0.0, d - config.margin)
    return d * d / 0.2 if abs(d) < 0.1 else abs(d) - 0.05


def by_loops(
    student: Tensor,
    teacher: Tensor,
    targets: Tensor,
    bank: IdentityBank,
    partners: Tensor | None,
    config: RelationConfig,
) -> list[float]:
    s, t, y = student.tolist(), teacher.tolist(), targets.tolist()
    entries_t = bank.teacher.tolist()
    entries_s = entries_t if config.side == "coupled" else bank.student.tolist()
    units_t = unit(teacher).tolist()
    units_s = units_t if config.side == "coupled" else unit(student).tolist()
    losses = []
    for i in range(len(y)):
        if partners is None:
            others = [j for j in range(len(y)) if y[j] != y[i]]
            others = sorted(others, key=lambda j: -cosine(t[i], units_t[j]))[: config.count]
            errors = [distance(cosine(s[i], units_s[j]) - cosine(t[i], units_t[j]), config) for j in others]
        else:
            ids = partners[y[i]].tolist()
            errors = [distance(cosine(s[i], entries_s[j]) - cosine(t[i], entries_t[j]), config) for j in ids]
        if config.positives:
            errors.append(distance(-(cosine(s[i], entries_s[y[i]]) - cosine(t[i], entries_t[y[i]])), config))
        losses.append(math.fsum(errors) / max(1, len(errors)))
    return losses


@pytest.mark.parametrize(("side", "distance", "partners", "positives", "bank"), COMBINATIONS)
def test_it_is_the_mean_over_partners(
    side: Side, distance: Distance, partners: Partners, positives: bool, bank: Bank
) -> None:
    margin = 0.05 if distance == "hinge" else 0.0
    config = RelationConfig(
        side=side, distance=distance, margin=margin, partners=partners, count=COUNT, positives=positives, bank=bank
    )
    for identities in (6, 40):  # all entries are multiplied, or partners alone
        student, teacher, targets, made, chosen = case(config, identities)
        exact = by_loops(student, teacher, targets, made, chosen, config)
        losses = relation_loss(student, teacher, targets, made, chosen, config)
        torch.testing.assert_close(losses, torch.tensor(exact, dtype=torch.float64), rtol=1e-10, atol=1e-12)
        assert any(exact)
        half = relation_loss(student.float(), teacher.float(), targets, made, chosen, config)
        torch.testing.assert_close(half.double(), losses, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("partners", get_args(Partners))
@pytest.mark.parametrize("distance", get_args(Distance))
@pytest.mark.parametrize("identities", [6, 40])
def test_the_gradient_is_that_of_the_loss(side: Side, partners: Partners, distance: Distance, identities: int) -> None:
    config = RelationConfig(
        side=side, partners=partners, distance=distance, count=COUNT, positives=True, bank="ema", margin=0.0
    )
    student, teacher, targets, bank, chosen = case(config, identities)
    assert torch.autograd.gradcheck(
        lambda x: relation_loss(x, teacher, targets, bank, chosen, config), (student.requires_grad_(),)
    )


@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("partners", get_args(Partners))
def test_the_teacher_and_the_bank_get_no_gradient(side: Side, partners: Partners) -> None:
    config = RelationConfig(side=side, partners=partners, count=COUNT, positives=True, bank="last")
    student, teacher, targets, bank, chosen = case(config, 40)
    student.requires_grad_(), teacher.requires_grad_()
    relation_loss(student, teacher, targets, bank, chosen, config).sum().backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None and student.grad.any()
    assert teacher.grad is None and not bank.teacher.requires_grad


@pytest.mark.parametrize("distance", get_args(Distance))
@pytest.mark.parametrize("partners", get_args(Partners))
def test_an_equal_student_has_loss_zero_where_coupled(distance: Distance, partners: Partners) -> None:
    config = RelationConfig(distance=distance, partners=partners, count=COUNT, positives=True, bank="queue")
    _, teacher, targets, bank, chosen = case(config, 40)
    student = teacher.clone().requires_grad_()
    losses = relation_loss(student, teacher, targets, bank, chosen, config)
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert not losses.any() and not gradient.any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), identities=st.sampled_from([5, 40]))
def test_coupled_is_the_residual_along_entries_and_below_feature_consistency(seed: int, identities: int) -> None:
    config = RelationConfig(count=1)
    student, teacher, targets, bank, chosen = case(config, identities, seed)
    assert chosen is not None
    losses = relation_loss(student, teacher, targets, bank, chosen, config)
    residual = ((unit(student) - unit(teacher)) * bank.teacher[chosen[targets, 0]]).sum(1)
    torch.testing.assert_close(losses, residual.abs(), rtol=1e-9, atol=1e-12)
    squared = relation_loss(student, teacher, targets, bank, chosen, RelationConfig(count=1, distance="l2"))
    assert (squared <= feature_consistency_loss(student, teacher, reduction="none") + 1e-12).all()


@pytest.mark.parametrize("partners", get_args(Partners))
def test_only_the_student_side_is_blind_to_a_common_rotation(partners: Partners) -> None:
    rotation = torch.linalg.qr(draw(WIDTH, WIDTH, seed=9)).Q
    for side in get_args(Side):
        config = RelationConfig(side=side, partners=partners, count=COUNT, positives=True, bank="last")
        values = []
        for turn in (torch.eye(WIDTH, dtype=torch.float64), rotation):
            bank = IdentityBank(draw(6, WIDTH), config)
            seen = draw(6, WIDTH, seed=1)
            bank.update(seen @ turn, draw(6, WIDTH, seed=2), torch.arange(6))
            student, teacher, targets, _, chosen = case(config, 6)
            values.append(relation_loss(student @ turn, teacher, targets, bank, chosen, config))
        assert torch.allclose(*values) == (side == "student")


def test_the_hinge_lets_a_student_that_is_less_confused_alone() -> None:
    """On a circle: entries at 0 and 90 degrees, an anchor of identity 1 that the student puts nearer to identity 0."""
    entries = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    partners, targets = torch.tensor([[1], [0]]), torch.tensor([1])

    def at(degrees: float) -> Tensor:
        return torch.tensor([[math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]], dtype=torch.float64)

    def loss(student: float, teacher: float, margin: float = 0.0, positives: bool = False) -> float:
        config = RelationConfig(distance="hinge", margin=margin, count=1, positives=positives)
        bank = IdentityBank(entries, config)
        return relation_loss(at(student), at(teacher), targets, bank, partners, config).item()

    gap = math.cos(math.radians(50)) - math.cos(math.radians(70))
    assert loss(50, 70) == pytest.approx(gap)
    assert loss(50, 70, margin=0.1) == pytest.approx(gap - 0.1)
    assert loss(50, 70, margin=0.5) == loss(70, 50) == 0
    own = math.sin(math.radians(70)) - math.sin(math.radians(50))
    assert loss(50, 70, positives=True) == pytest.approx((gap + own) / 2)
    assert loss(70, 50, positives=True) == 0


@pytest.mark.parametrize("partners", get_args(Partners))
@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("distance", get_args(Distance))
@pytest.mark.parametrize("identities", [6, 40])
def test_odd_vectors_give_finite_losses_and_gradients(
    partners: Partners, side: Side, distance: Distance, identities: int
) -> None:
    config = RelationConfig(side=side, partners=partners, distance=distance, count=COUNT, positives=True, bank="last")
    _, _, _, bank, chosen = case(config, identities)
    x = draw(1, WIDTH)
    student = torch.cat([x, x, -x, 0 * x, 1e-30 * x, 1e30 * x]).float().requires_grad_()
    teacher = torch.cat([0 * x, x, x, -x, x, 1e30 * x]).float()
    losses = relation_loss(student, teacher, torch.tensor([0, 0, 1, 2, 3, 4]), bank, chosen, config)
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert losses.isfinite().all() and gradient.isfinite().all()
    assert not gradient[3:5].any()


@pytest.mark.parametrize("side", get_args(Side))
def test_a_batch_of_one_identity_has_loss_zero(side: Side) -> None:
    config = RelationConfig(side=side, partners="batch")
    student = draw(4, WIDTH).requires_grad_()
    losses = relation_loss(student, draw(4, WIDTH, seed=1), torch.tensor([2, 2, 2, 2]), None, None, config)
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert not losses.any() and not gradient.any()
    one = relation_loss(student[:1], draw(1, WIDTH), torch.tensor([0]), None, None, config)
    assert one.tolist() == [0.0]


@pytest.mark.parametrize("side", get_args(Side))
def test_half_inputs_under_autocast_are_computed_in_float32(side: Side) -> None:
    config = RelationConfig(side=side, count=COUNT, bank="last")
    student, teacher, targets, _, chosen = case(config, 40)
    bank = IdentityBank(draw(40, WIDTH).float(), config)
    student, teacher = student.bfloat16().requires_grad_(), teacher.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        losses = relation_loss(student, teacher, targets, bank, chosen, config)
    assert losses.dtype == torch.float32
    exact = relation_loss(student.float(), teacher.float(), targets, bank, chosen, config)
    torch.testing.assert_close(losses, exact, rtol=1e-6, atol=1e-7)
    (gradient,) = torch.autograd.grad(losses.sum(), student)
    assert gradient.dtype == torch.bfloat16


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 6), entries=st.integers(1, 60), count=st.integers(1, 6))
def test_products_are_the_same_by_either_way(seed: int, rows: int, entries: int, count: int) -> None:
    vectors, bank = draw(rows, WIDTH, seed=seed).requires_grad_(), draw(entries, WIDTH, seed=seed + 1)
    ids = torch.randint(entries, (rows, count), generator=torch_generator(seed, "ids"))
    expected = torch.einsum("bd,bkd->bk", vectors, bank[ids])
    made = products(vectors, bank, ids)
    torch.testing.assert_close(made, expected)
    upstream = draw(rows, count, seed=seed + 2)
    pair = [torch.autograd.grad((result * upstream).sum(), vectors)[0] for result in (made, expected)]
    torch.testing.assert_close(*pair)


def test_a_large_bank_never_makes_all_cosines_or_copies_of_entries() -> None:
    """With 200,000 entries all cosines, or gathered partners, would be the largest tensors by far."""
    vectors, bank = draw(64, 32).float().requires_grad_(), torch.zeros(200_000, 32)
    ids = torch.randint(200_000, (64, 50), generator=torch_generator(0, "ids"))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        products(vectors, bank, ids).sum().backward()  # type: ignore[no-untyped-call]
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert 0 < largest <= 2 * 8 * 64 * 50 < 4 * 64 * 50 * 32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("partners", get_args(Partners))
@pytest.mark.parametrize("identities", [6, 40])
def test_a_gpu_gives_the_same_losses(side: Side, partners: Partners, identities: int) -> None:
    config = RelationConfig(side=side, partners=partners, count=COUNT, positives=True, bank="queue")
    student, teacher, targets, _, chosen = case(config, identities)
    seen = (draw(64, WIDTH, seed=5), draw(64, WIDTH, seed=6), torch.arange(64).square() % identities)
    values, gradients = [], []
    with deterministic_kernels(True):
        for device in ("cpu", "cuda"):
            bank = IdentityBank(draw(identities, WIDTH).to(device), config)
            bank.update(*(tensor.to(device) for tensor in seen))
            leaf, ids = student.to(device, copy=True).requires_grad_(), None if chosen is None else chosen.to(device)
            losses = relation_loss(leaf, teacher.to(device), targets.to(device), bank, ids, config)
            gradients.append(torch.autograd.grad(losses.sum(), leaf)[0].cpu())
            values.append(losses.detach().cpu())
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*gradients)


def test_what_does_not_fit_is_refused() -> None:
    config = RelationConfig(count=COUNT)
    student, teacher, targets, bank, partners = case(config, 6)
    assert partners is not None
    within = RelationConfig(partners="batch", count=COUNT)
    moving = RelationConfig(side="student", bank="last", count=COUNT)
    with pytest.raises(ValueError, match=r"targets have shape \(6,\): give one identity per anchor, \[7\]"):
        relation_loss(student, teacher, targets[:6], bank, partners, config)
    with pytest.raises(ValueError, match="partners are 'hardest' and none are given"):
        relation_loss(student, teacher, targets, bank, None, config)
    with pytest.raises(ValueError, match="partners are 'batch' and some are given"):
        relation_loss(student, teacher, targets, bank, partners, within)
    with pytest.raises(ValueError, match="bank is None: give an IdentityBank"):
        relation_loss(student, teacher, targets, None, partners, config)
    with pytest.raises(ValueError, match="the bank was made for side 'coupled': make one for 'student'"):
        relation_loss(student, teacher, targets, bank, partners, moving)
    with pytest.raises(ValueError, match="5 dimensions and the bank's entries 4"):
        relation_loss(draw(7, 5), draw(7, 5), targets, bank, partners, config)
    for wrong in (partners[:5], partners[:, :2]):
        with pytest.raises(ValueError, match=r"give \[6, 3\], one row for each identity"):
            relation_loss(student, teacher, targets, bank, wrong, config)
    with pytest.raises(ValueError, match="put an Adapter"):
        relation_loss(draw(7, 5), teacher, targets, bank, partners, config)
