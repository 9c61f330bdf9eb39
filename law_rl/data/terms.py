"""Under which terms data may be used, in words for a model card."""

from pathlib import Path

from law_rl.data.sources import DataConfig

_CIFAR = "No licence is declared by the owner; in use for research. Cite A. Krizhevsky, technical report, 2009."
TERMS = {
    "digits": "CC BY 4.0: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI repository.",
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
    "folder": "Those of the images in the folder, which law-rl does not know: ask their owner.",
}


def terms_of(config: DataConfig) -> str:
    """The terms of the images as their owners publish them; for labels from a file, a reminder of theirs."""
    if config.noise.kind != "human":
        return TERMS[config.name]
    return f"{TERMS[config.name]} The training labels are those of {Path(config.noise.labels).name}, on its own terms."
