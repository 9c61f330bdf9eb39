"""How a codec is trained: sizes, rates, and what changes while the training goes on."""

import math
from dataclasses import dataclass
from typing import Literal

LEAST_MS_SSIM_CROP = 176


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The cost is bits per pixel + lambda_ * distortion: with "mse" of pixels in 0..1, with "ms_ssim" of 1 - MS-SSIM.

    A training ends after `steps` steps or `minutes` minutes, whichever comes first; the learning rate falls along half
    a cosine with the nearer of the two. The saved weights are a moving average over the steps.
    """

    lambda_: float = 1024.0
    distortion: Literal["mse", "ms_ssim"] = "mse"
    steps: int | None = 30_000
    """None: as many as fit into `minutes`."""
    minutes: float | None = None
    """None: as long as `steps` take."""
    batch: int = 8
    crop: int = 256
    """Side of the square crops in pixels, a multiple of 64. In smaller ones the hyper-latents see little but borders,
    and whole pictures then cost up to twice the bits that training showed."""
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-5
    warmup: float = 0.02
    """Share of the training in which the learning rate rises to its highest."""
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    average: float = 0.999
    """Decay of the moving average of the weights."""
    bfloat16: bool = False
    """Whether convolutions run in bfloat16; likelihoods stay in float32."""
    cuda_graph: bool = True
    """Whether a GPU replays the step as one CUDA graph; of no effect on a CPU."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ValueError("steps and minutes are both None: give at least one of them")
        for name in ("lambda_", "steps", "minutes", "batch", "learning_rate", "final_learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}: give a number above 0")
        for name, most in (("warmup", 1.0), ("average", 1.0 - 1e-9)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}: give a number from 0 to below 1")
        if self.crop < 64 or self.crop % 64:
            raise ValueError(f"crop is {self.crop}: give a multiple of 64")
        if self.distortion == "ms_ssim" and self.crop < LEAST_MS_SSIM_CROP:
            raise ValueError(f"crop is {self.crop}: give 192 at least, since MS-SSIM compares five scales")

    def progress(self, step: int, seconds: float) -> float:
        """How much of the training is over after `step` steps and `seconds` seconds, from 0 to 1."""
        by_steps = step / self.steps if self.steps is not None else 0.0
        by_time = seconds / (60 * self.minutes) if self.minutes is not None else 0.0
        return min(1.0, max(by_steps, by_time))

    def learning_rate_at(self, progress: float) -> float:
        """A linear rise in the first `warmup` of the training, then half a cosine down to the final rate."""
        if progress < self.warmup:
            return self.learning_rate * max(progress / self.warmup, 0.02)
        fall = (1 + math.cos(math.pi * (progress - self.warmup) / max(1 - self.warmup, 1e-9))) / 2
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * fall
