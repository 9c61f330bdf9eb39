"""Margin heads by name: from the cosines between faces and identities to what the cross-entropy of training sees."""

from dataclasses import dataclass
from typing import Literal, get_args

from law_rl.face.heads.adaface import AdaFace
from law_rl.face.heads.arcface import ArcFace, Gradient
from law_rl.face.heads.cosface import CosFace
from law_rl.face.heads.curricularface import CurricularFace
from law_rl.face.heads.head import Head
from law_rl.face.heads.softmax import Softmax

__all__ = ["Gradient", "Head", "HeadConfig", "HeadName", "build_head"]

HeadName = Literal["softmax", "arcface", "cosface", "curricularface", "adaface"]

MARGIN = 0.5


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Which head: `margin` is m of its equation, in radians or, for cosface, as a difference of cosines.

    The papers' margins are 0.5 (arcface, curricularface), 0.35 (cosface) and 0.4 (adaface); softmax has none.
    `gradient` is arcface's, see there. `sample` is the share of the identities that a step compares with, see
    `sample_classes`; 1 for all.

    Raises ValueError for a value out of range, and for a setting that the named head does not use.
    """

    name: HeadName = "arcface"
    margin: float = MARGIN
    gradient: Gradient = "exact"
    sample: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in get_args(HeadName):
            raise ValueError(f"name is {self.name!r}: use one of {', '.join(get_args(HeadName))}")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin is {self.margin}: give a number from 0 to 1")
        if self.name == "softmax" and self.margin != MARGIN:
            raise ValueError(
                f"margin is {self.margin}, but softmax has none: leave it at {MARGIN}, or choose another head"
            )
        if self.gradient not in get_args(Gradient):
            raise ValueError(f"gradient is {self.gradient!r}: use one of {', '.join(get_args(Gradient))}")
        if self.name != "arcface" and self.gradient != "exact":
            raise ValueError(f"gradient is {self.gradient!r}, which only arcface has: use exact for {self.name}")
        if not 0 < self.sample <= 1:
            raise ValueError(f"sample is {self.sample}: give the share of identities in (0, 1]")


def build_head(config: HeadConfig) -> Head:
    """The head of a configuration, on the CPU; move it to the device of the cosines, as it may have buffers."""
    match config.name:
        case "softmax":
            return Softmax()
        case "arcface":
            return ArcFace(config.margin, config.gradient)
        case "cosface":
            return CosFace(config.margin)
        case "curricularface":
            return CurricularFace(config.margin)
        case "adaface":
            return AdaFace(config.margin)
