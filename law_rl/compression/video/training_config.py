"""How the network of predicted frames is trained."""

from dataclasses import dataclass
from typing import Literal

from law_rl.compression.training_config import TrainingConfig

Stage = Literal["flow", "motion", "compensation", "all"]


@dataclass(frozen=True, kw_only=True)
class VideoTrainingConfig(TrainingConfig):
    """As an image codec's, on clips of `crop` pixels a side, at `lambda_` of predicted frames.

    A training begins with the share `flow` of it on the flow alone, against the true flow of synthetic clips; goes on
    with `motion`, where the warped reference stands for the frame, and `compensation`, where the prediction does; the
    rest is on all parts together. `reference` is what frames are predicted from: the network's own decoded frames as
    they come out while it learns, or the "original" ones.
    Source: DVC, arXiv 1812.00101, section 3.7; the order of the first three as in re-implementations.
    """

    lambda_: float = 512.0
    steps: int | None = 20_000
    batch: int = 4
    crop: int = 128
    average: float = 0.99
    flow: float = 0.25
    motion: float = 0.1
    compensation: float = 0.1
    reference: Literal["decoded", "original"] = "decoded"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("flow", "motion", "compensation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give a share from 0 to below 1")
        if self.flow + self.motion + self.compensation >= 1:
            raise ValueError("flow, motion and compensation leave no share of the training for all parts: lower them")
        if self.reference not in ("decoded", "original"):
            raise ValueError(f"reference is {self.reference!r}: use decoded or original")

    def stage(self, progress: float) -> Stage:
        """What is trained when so much of the training is over, from 0 to 1."""
        ends: dict[Stage, float] = {"flow": self.flow, "motion": self.motion, "compensation": self.compensation}
        begun = 0.0
        for stage, share in ends.items():
            begun += share
            if progress < begun:
                return stage
        return "all"
