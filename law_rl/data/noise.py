"""Label noise of the training set."""

from dataclasses import dataclass
from typing import Literal

import torch

from law_rl.counters import torch_generator
from law_rl.data.label_files import read_labels


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """How training labels are corrupted; validation and test labels never are.

    `uniform`: with probability `rate` a label is drawn anew from all classes, the true one included. `flip`: with
    probability `rate` it becomes its class's one partner class. `human`: annotators' labels from the file `labels`,
    one per official training image; `column` names them where the file holds several.
    """

    kind: Literal["none", "uniform", "flip", "human"] = "none"
    rate: float = 0.0
    labels: str = ""
    column: str = "worse_label"

    def __post_init__(self) -> None:
        if self.kind not in ("none", "uniform", "flip", "human"):
            raise ValueError(f"NoiseConfig.kind={self.kind!r} is unknown: use 'none', 'uniform', 'flip' or 'human'.")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"NoiseConfig.rate={self.rate} is not a probability: use a value from 0 to 1.")
        if self.rate and self.kind in ("none", "human"):
            raise ValueError(
                f"NoiseConfig.rate={self.rate} has no effect on kind={self.kind!r}: "
                "leave it out, or use kind 'uniform' or 'flip'."
            )
        if bool(self.labels) != (self.kind == "human"):
            raise ValueError(
                f"NoiseConfig.labels={self.labels!r} does not fit kind={self.kind!r}: "
                "kind 'human', and no other, needs a label file."
            )


def corrupt(targets: torch.Tensor, classes: int, config: NoiseConfig, seed: int) -> torch.Tensor:
    """Noisy labels int64 [N] for `targets` int64 [N], which stay as they are.

    For `human` noise, `targets` are those of the whole official training part, in its order. Raises ValueError where
    the label file does not fit them.
    """
    match config.kind:
        case "none":
            return targets.clone()
        case "uniform":
            return uniform_noise(targets, classes, config.rate, seed)
        case "flip":
            return flip_noise(targets, classes, config.rate, seed)
        case "human":
            return human_noise(targets, classes, config)


def uniform_noise(targets: torch.Tensor, classes: int, rate: float, seed: int) -> torch.Tensor:
    """Each label drawn from its row of rate / C * ones + (1 - rate) * identity, as in LAW and Meta-Weight-Net.

    The true class is one of the C, so the expected share of wrong labels is rate * (1 - 1 / C).
    """
    generator = torch_generator(seed, "uniform-noise")
    redrawn = torch.rand(len(targets), generator=generator) < rate
    drawn = torch.randint(classes, (len(targets),), generator=generator)
    return torch.where(redrawn.to(targets.device), drawn.to(targets.device), targets)


def flip_noise(targets: torch.Tensor, classes: int, rate: float, seed: int) -> torch.Tensor:
    """With probability `rate` each label becomes the partner of its class, as Meta-Weight-Net's flip noise.

    Each class has ONE partner, another class chosen at random from the seed; two classes may share a partner.
    """
    if classes < 2:
        raise ValueError(f"Flip noise needs another class to flip to, and there is {classes}: use at least 2 classes.")
    generator = torch_generator(seed, "flip-noise")
    partners = torch.randint(classes - 1, (classes,), generator=generator)
    partners += partners >= torch.arange(classes)
    flipped = torch.rand(len(targets), generator=generator) < rate
    return torch.where(flipped.to(targets.device), partners.to(targets.device)[targets], targets)


def human_noise(targets: torch.Tensor, classes: int, config: NoiseConfig) -> torch.Tensor:
    """The labels of the file; where it holds a column `clean_label` too, that must equal `targets`."""
    labels, clean = read_labels(config.labels, config.column)
    if labels.shape != targets.shape:
        raise ValueError(
            f"Label file {config.labels} holds {len(labels)} labels, but the training part has {len(targets)} images: "
            "use the file made for this copy of the data."
        )
    if clean is not None and not torch.equal(clean, targets.cpu()):
        raise ValueError(
            f"Label file {config.labels} is in another order than the images, because its clean_label differs from "
            "their labels: use the data in its official order."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"Label file {config.labels} holds labels outside 0..{classes - 1}: use one for {classes} classes."
        )
    return labels.to(targets.device)
