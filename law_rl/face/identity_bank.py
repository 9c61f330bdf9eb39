"""The identity bank: for every identity one unit vector of the teacher and, where wanted, one of the student."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from law_rl.distillation.vectors import unit
from law_rl.face.partners import check_count
from law_rl.face.relation_config import RelationConfig


@torch.no_grad()
def prototypes(embeddings: Tensor, targets: Tensor, identities: int) -> Tensor:
    """Normalised mean of the normalised embeddings [N, D] of each identity: [identities, D], float32 or float64.

    An identity whose embeddings cancel out becomes 0. Targets int64 [N] in [0, identities). The order of summation is
    fixed on every device; takes a copy of the embeddings. Raises ValueError for an identity without a sample, targets
    out of range, and embeddings that are not finite.
    """
    if embeddings.ndim != 2 or targets.shape != embeddings.shape[:1]:
        raise ValueError(
            f"embeddings have shape {tuple(embeddings.shape)} and targets {tuple(targets.shape)}: give [N, D] and [N]"
        )
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < identities:
        raise ValueError(
            f"targets run from {targets.min()} to {targets.max()}: give numbers from 0 to {identities - 1}"
        )
    sizes = torch.bincount(targets, minlength=identities)
    if not sizes.all():
        raise ValueError(f"identity {int(sizes.argmin())} has no sample: leave it out and number the others anew")
    units = unit(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))
    order, starts = targets.argsort(stable=True), sizes.cumsum(0) - sizes
    means = unit(functional.embedding_bag(order, units, starts, mode="sum"))
    if not means.isfinite().all():
        wrong = int(means.isfinite().all(1).logical_not().nonzero()[0])
        raise ValueError(f"an embedding of identity {wrong} is not finite: check the network that made it")
    return means


class IdentityBank:
    """Entries [C, D] of length 1 per identity, by `config.bank`; each update makes those of a batch's identities newer.

    The first feature of an identity replaces the prototype, so that a student's entry and its teacher's always come
    from the same images; until then the student's entry is the teacher's prototype as it is. One feature per identity
    and batch counts, that of its last sample. The entry of a queue is the normalised mean of its filled slots: so all
    kinds cost a loss the same. Everything lies on the prototypes' device; nothing carries a gradient.

    Raises ValueError for prototypes that are not [C, D], and for fewer than `config.count` others to an identity
    where partners come from the bank. Source: our reading of the feature banks of CoupleFace (arXiv 2204.05502).
    """

    def __init__(self, prototypes: Tensor, config: RelationConfig) -> None:
        if prototypes.ndim != 2:
            raise ValueError(f"prototypes have shape {tuple(prototypes.shape)}: give [C, D], one row per identity")
        check_count(1 if config.partners == "batch" else config.count, len(prototypes))
        self.config = config
        initial = unit(prototypes.detach().to(torch.promote_types(prototypes.dtype, torch.float32)))
        self._entries = initial[None].repeat(1 if config.side == "coupled" else 2, 1, 1)
        self._updates = torch.zeros(len(initial), dtype=torch.int64, device=initial.device)
        slots = config.queue if config.bank == "queue" else 0
        self._slots = initial.new_zeros(len(self._entries), len(initial) * slots, initial.shape[1])

    @property
    def teacher(self) -> Tensor:
        """Entries [C, D] that a teacher's anchor is compared with."""
        return self._entries[0]

    @property
    def student(self) -> Tensor:
        """Entries [C, D] that a student's anchor is compared with: for side "coupled" the teacher's."""
        return self._entries[-1]

    def check_batch(self, embeddings: Tensor, targets: Tensor) -> None:
        """ValueError where embeddings [B, D] and targets [B] do not fit each other or the entries."""
        if embeddings.ndim != 2 or targets.shape != embeddings.shape[:1]:
            raise ValueError(
                f"embeddings have shape {tuple(embeddings.shape)} and targets {tuple(targets.shape)}: give [B, D], [B]"
            )
        if embeddings.shape[1] != self.teacher.shape[1]:
            raise ValueError(
                f"embeddings have {embeddings.shape[1]} dimensions and the bank's entries {self.teacher.shape[1]}: "
                "make the bank from this teacher's embeddings, and put an Adapter on a student of another width"
            )

    @torch.no_grad()
    def update(self, student: Tensor, teacher: Tensor, targets: Tensor) -> None:
        """Takes in the embeddings [B, D] of a batch, once its loss is computed; targets int64 [B] in [0, C).

        Samples of one identity all write the value of the last, so the order of writing does not count. Raises
        ValueError for shapes that do not fit.
        """
        if self.config.bank == "static":
            return
        last = _last_of_identity(targets)
        for side, features in enumerate((teacher, student)[: len(self._entries)]):
            self.check_batch(features, targets)
            newest = unit(features.to(self._entries.dtype)).index_select(0, last)
            self._entries[side].index_copy_(0, targets, self._renewed(side, newest, targets))
        self._updates.index_copy_(0, targets, self._updates[targets] + 1)

    def _renewed(self, side: int, newest: Tensor, targets: Tensor) -> Tensor:
        """Entries [B, D] of the identities after the features [B, D]."""
        if self.config.bank == "queue":
            size, slots = self.config.queue, self._slots[side]
            slots.index_copy_(0, targets * size + self._updates[targets] % size, newest)
            return unit(slots.view(-1, size, slots.shape[1])[targets].sum(1))
        if self.config.bank == "ema":
            first = (self._updates[targets] == 0)[:, None]
            mean = unit(torch.lerp(newest, self._entries[side][targets], self.config.momentum))
            return torch.where(first, newest, mean)
        return newest

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the entries, the updates per identity and the slots; nothing for a static bank."""
        return {name: tensor.clone() for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a bank of the same shape and configuration; ValueError for another."""
        own = self._state()
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        given = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if shapes != given:
            raise ValueError(f"the state holds {given}, this bank {shapes}: restore with the configuration it had")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        if self.config.bank == "static":
            return {}
        return {"entries": self._entries, "updates": self._updates, "slots": self._slots}


def _last_of_identity(targets: Tensor) -> Tensor:
    """For each sample the place of the last one of its identity, int64 [B]."""
    places = torch.arange(len(targets), device=targets.device)
    return (targets[:, None] == targets).mul(places).amax(1)
