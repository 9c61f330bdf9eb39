"""Drawn embeddings, for the tests of what aligning scores gains."""

from typing import get_args

import torch
from torch import Tensor

from benchmarks.alignment_faces import Embedded, HeldOut
from benchmarks.degradations import Condition
from law_rl.counters import torch_generator

WIDTH = 8
PERSONS, IMAGES = 12, 4


def drawn(persons: int, images: int, purpose: str, seed: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Embeddings [persons x images, WIDTH] about one centre a person, and identities from `first`."""
    generator = torch_generator(seed, purpose)
    centres = torch.randn(persons, WIDTH, generator=generator).repeat_interleave(images, 0)
    identities = torch.arange(first, first + persons).repeat_interleave(images)
    return centres + 0.7 * torch.randn(centres.shape, generator=generator), identities


def embedded_faces(seed: int = 0) -> Embedded:
    """120 references, 60 virtual candidates; 12 persons of 4 images in each held-out part, other ones."""
    reference, identities = drawn(30, 4, "reference", seed)
    return Embedded(
        reference=reference,
        reference_identities=identities,
        virtual=drawn(60, 1, "virtual", seed)[0],
        validation=held_out("validation", seed, 100),
        test=held_out("test", seed, 200),
    )


def held_out(purpose: str, seed: int, first: int) -> HeldOut:
    plain, identities = drawn(PERSONS, IMAGES, purpose, seed, first)
    conditions = {
        condition: plain + 0.3 * number * torch.randn(plain.shape, generator=torch_generator(seed, purpose, number))
        for number, condition in enumerate(get_args(Condition))
    }
    return HeldOut(conditions=conditions, identities=identities)
