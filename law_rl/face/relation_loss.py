"""Relation distillation: the student's face is as like the faces of look-alike identities as the teacher's is."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from law_rl.distillation.pairing import full_precision, paired_embeddings
from law_rl.distillation.vectors import unit
from law_rl.face.identity_bank import IdentityBank
from law_rl.face.relation_config import RelationConfig

SMOOTH_WITHIN = 0.1
"""Where smooth_l1 turns linear; at the usual 1 it would be half of l2 for nearly every relation."""

WHOLE_BANK_PER_PARTNER = 8
"""Cosines with all entries are computed where the bank has at most so many entries per partner."""


def relation_loss(
    student: Tensor,
    teacher: Tensor,
    targets: Tensor,
    bank: IdentityBank | None,
    partners: Tensor | None,
    config: RelationConfig,
) -> Tensor:
    """Losses [B] of anchors: the mean over an anchor's partners of the distance between r_student and r_teacher.

    Embeddings [B, D] of student and teacher, which are normalised here; targets int64 [B]; `partners` int64 [C, K] of
    every identity, for partners "batch" None; `bank` may be None where `config.uses_bank` is false. `RelationConfig`
    says what a relation and its distance are. In side "coupled" d = (e_student - e_teacher) . entry, so
    |d| <= ||e_student - e_teacher||: feature consistency seen along the directions of look-alikes. Side "student" does
    not change when student and bank are rotated together.

    For positives the hinge is turned round, max(0, -d - margin): the student may find a face more like its own
    identity than the teacher does. Among samples of a batch side "student" is differentiated through both ends; else
    partners are constants, and the teacher always is. An anchor without a partner in its batch has loss 0. Embeddings
    without a direction relate by 0 to everything.

    Computed in float32 (float64 inputs: float64), with a bank in its dtype; differentiable once. Raises ValueError for
    shapes that do not fit each other or the configuration. Source: our reading of the relation-aware loss of
    CoupleFace (arXiv 2204.05502), whose equation was not available.
    """
    with full_precision(student):
        student, teacher = paired_embeddings(student, teacher)
        _check(student, targets, bank, partners, config)
        student, teacher = unit(student), unit(teacher)
        if partners is None:
            differences, present = _within_batch(student, teacher, targets, config)
        else:
            assert bank is not None
            differences = _against(bank, student, teacher, partners.index_select(0, targets))
            present = torch.ones_like(differences, dtype=torch.bool)
        errors = _distance(differences, config)
        if config.positives:
            assert bank is not None
            own = _against(bank, student, teacher, targets[:, None])
            errors = torch.cat([errors, _distance(-own, config)], dim=1)
            present = functional.pad(present, (0, 1), value=True)
        return errors.masked_fill(~present, 0.0).sum(1) / present.sum(1).clamp_min(1)


def _check(
    student: Tensor, targets: Tensor, bank: IdentityBank | None, partners: Tensor | None, config: RelationConfig
) -> None:
    if targets.shape != student.shape[:1]:
        raise ValueError(f"targets have shape {tuple(targets.shape)}: give one identity per anchor, [{len(student)}]")
    if (partners is None) != (config.partners == "batch"):
        given = "none are given" if partners is None else "some are given"
        raise ValueError(f"partners are {config.partners!r} and {given}: give [C, K], for partners 'batch' None")
    if bank is None:
        if config.uses_bank:
            raise ValueError("bank is None: give an IdentityBank, as these relations reach beyond the batch")
        return
    if bank.config.side != config.side:
        raise ValueError(f"the bank was made for side {bank.config.side!r}: make one for {config.side!r}")
    bank.check_batch(student, targets)
    if partners is not None and partners.shape != (len(bank.teacher), config.count):
        raise ValueError(
            f"partners have shape {tuple(partners.shape)}: give [{len(bank.teacher)}, {config.count}], one row for "
            "each identity of the bank"
        )


def _within_batch(student: Tensor, teacher: Tensor, targets: Tensor, config: RelationConfig) -> tuple[Tensor, Tensor]:
    """Differences [B, K] to the most alike others of the batch by the teacher, and which are there, bool [B, K]."""
    cosines = teacher @ teacher.T
    alike = cosines.masked_fill(targets[:, None] == targets, -torch.inf)
    closest = alike.topk(min(config.count, len(targets)), dim=1)
    both = (student - teacher) @ teacher.T if config.side == "coupled" else student @ student.T - cosines
    return both.gather(1, closest.indices), closest.values > -torch.inf


def _against(bank: IdentityBank, student: Tensor, teacher: Tensor, ids: Tensor) -> Tensor:
    """Differences [B, K] of the anchors' cosines with the entries `ids` [B, K]."""
    student, teacher = student.to(bank.teacher.dtype), teacher.to(bank.teacher.dtype)
    if bank.config.side == "coupled":
        return products(student - teacher, bank.teacher, ids)
    return products(student, bank.student, ids) - products(teacher, bank.teacher, ids)


def _distance(differences: Tensor, config: RelationConfig) -> Tensor:
    if config.distance == "hinge":
        return (differences - config.margin).relu()
    if config.distance == "smooth_l1":
        zero = torch.zeros_like(differences)
        return functional.smooth_l1_loss(differences, zero, beta=SMOOTH_WITHIN, reduction="none")
    return differences.abs() if config.distance == "l1" else differences.square()


def products(rows: Tensor, entries: Tensor, ids: Tensor) -> Tensor:
    """rows[b] . entries[ids[b, k]] as [B, K], of rows [B, D] and entries [C, D]; a gradient to the rows alone.

    Never makes [B, K, D]. Forward and backward, one thread of an AVX-512 CPU: B = 512, K = 100, D = 512, C = 93,431
    takes 26 ms (gathered: 82 ms and 105 MB). The product with all C entries costs C / K times the multiplications, but
    reads in order: it was faster up to C = 10 K at D = 64 and 7 K at D = 512, hence WHOLE_BANK_PER_PARTNER.
    """
    if len(entries) <= WHOLE_BANK_PER_PARTNER * ids.shape[1]:
        return (rows @ entries.T).gather(1, ids)
    result: Tensor = _Products.apply(rows, entries, ids)  # type: ignore[no-untyped-call]
    return result


class _Products(torch.autograd.Function):
    """The transpose of a weighted sum of entries: torch has that sum, and its gradient to the weights, without a copy.

    With f(w)[b] = sum_k w[b, k] entries[ids[b, k]], the products are df/dw applied to rows, and f is their gradient.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, entries: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(entries, ids)
        with torch.enable_grad():
            weights = rows.new_zeros(ids.shape).requires_grad_()
            sums = functional.embedding_bag(ids, entries, mode="sum", per_sample_weights=weights)
        return torch.autograd.grad(sums, weights, rows)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        entries, ids = ctx.saved_tensors
        weights = gradient.contiguous()
        return functional.embedding_bag(ids, entries, mode="sum", per_sample_weights=weights), None, None
