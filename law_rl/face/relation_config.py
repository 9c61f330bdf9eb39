"""Which relations between faces the student learns, and how a wrong one counts."""

from dataclasses import dataclass
from typing import Literal, get_args

Side = Literal["coupled", "student"]
Distance = Literal["l1", "l2", "smooth_l1", "hinge"]
Partners = Literal["hardest", "random", "batch"]
Bank = Literal["static", "last", "ema", "queue"]


@dataclass(frozen=True, kw_only=True)
class RelationConfig:
    """The switches of `relation_loss` and of the `IdentityBank` that it compares with.

    A relation is the cosine r of an anchor's embedding and a partner's entry; d = r_student - r_teacher.

    side       what the student's anchor meets: "coupled" the teacher's entry, "student" an entry of student features
    distance   l1: |d|; l2: d^2; smooth_l1: d^2 / 0.2 up to |d| = 0.1, beyond |d| - 0.05; hinge: max(0, d - margin),
               which asks that no other identity looks more alike to the student than to the teacher
    partners   "hardest": the `count` identities that the teacher confuses most with the anchor's; "random": as many
               drawn once; "batch": the `count` samples of other identities in the batch, largest teacher cosine first
    positives  adds the relation with the entry of the anchor's own identity
    bank       entries: "static" the teacher's prototypes, "last" an identity's newest feature, "ema" their mean with
               weights falling by `momentum`, "queue" the mean of its newest `queue`

    Source: the mined mutual relations of CoupleFace (arXiv 2204.05502). Its equations were not available: the switches
    span our readings of the abstract, and the defaults are no claim about the paper.
    """

    side: Side = "coupled"
    distance: Distance = "l1"
    margin: float = 0.0
    partners: Partners = "hardest"
    count: int = 100
    positives: bool = False
    bank: Bank = "static"
    momentum: float = 0.9
    queue: int = 5

    def __post_init__(self) -> None:
        for name, choices in (("side", Side), ("distance", Distance), ("partners", Partners), ("bank", Bank)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} is {getattr(self, name)!r}: use one of {', '.join(get_args(choices))}")
        if not 0 <= self.margin <= 2:
            raise ValueError(f"margin is {self.margin}: give a difference of cosines from 0 to 2")
        if self.margin and self.distance != "hinge":
            raise ValueError(f"margin is {self.margin}: leave it at 0, as only the distance hinge has one")
        if self.count < 1:
            raise ValueError(f"count is {self.count}: give at least 1 partner")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}: give a number from 0 to below 1")
        if self.queue < 1:
            raise ValueError(f"queue is {self.queue}: give at least 1 feature per identity")
        if self.uses_bank and (self.side, self.bank) == ("student", "static"):
            raise ValueError("bank is 'static', which has no student features: use last, ema or queue, or side coupled")

    @property
    def uses_bank(self) -> bool:
        """Whether relations reach beyond the batch."""
        return self.partners != "batch" or self.positives
