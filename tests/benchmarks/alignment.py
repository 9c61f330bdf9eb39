"""Drawn embeddings, for the tests of what aligning scores gains."""

from typing import get_args

import torch
from torch import Tensor

from benchmarks.alignment_faces import Embedded, Views
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
    return Embedded(
        reference=views("reference", seed, 0, persons=30),
        virtual=drawn(60, 1, "virtual", seed)[0],
        validation=views("validation", seed, 100),
        test=views("test", seed, 200),
    )


def views(purpose: str, seed: int, first: int, *, persons: int = PERSONS) -> Views:
    plain, identities = drawn(persons, IMAGES, purpose, seed, first)
    conditions = {
        condition: plain + 0.3 * number * torch.randn(plain.shape, generator=torch_generator(seed, purpose, number))
        for number, condition in enumerate(get_args(Condition))
    }
    return Views(conditions=conditions, identities=identities)
