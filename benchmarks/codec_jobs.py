"""The trainings of `benchmarks.train_codecs`: those of the models that ship, and those of the ablation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from law_rl.compression.network.codec_network import PAPER_LOW, SMALL, CodecConfig
from law_rl.compression.training_config import TrainingConfig

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "attention on z": {"attention": "z"},
    "attention on y": {"attention": "y"},
    "attention on both": {"attention": "both"},
    "2 components": {"components": 2},
    "3 components": {"components": 3},
    "enhancement": {"enhancement": 16},
    "all": {"attention": "both", "components": 3, "enhancement": 16},
}
"""What the ablation compares with `plain`, the small size without any module."""
PLAIN: Mapping[str, Any] = {"attention": "none", "components": 1}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is trained, on what, and for how long."""

    folders: tuple[Path, ...] = ()
    """Folders of photographs; BSDS500's training part where none is given."""
    pictures: Path | None = None
    """The folder of pictures that the table is measured on, such as Kodak's; else the photographs held out."""
    out: Path = Path("codecs")
    checkpoints: bool = True
    """Write checkpoints into `out`, from which a stopped training goes on."""
    ablation: bool = False
    """Train the variants at every lambda and seed instead of what ships; each seed is a process."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """The variants of the ablation."""
    models: tuple[Literal["small", "paper"], ...] = ("small", "paper")
    """Which of the sizes that ship are trained; each is a process."""
    lambdas: tuple[float, ...] = (256.0, 768.0, 2048.0)
    """Of the small size."""
    paper_lambda: float = 2048.0
    """Of the paper's size, 128 channels and 192 latents."""
    seeds: tuple[int, ...] = (0,)
    """Each lambda is trained from each of them."""
    learning_rates: tuple[float, ...] = (5e-4,)
    """Highest rates of the small size; of several, each is tried."""
    paper_learning_rate: float = 2e-4
    """Highest rate of the paper's size."""
    steps: int | None = None
    """Steps of each training."""
    minutes: float | None = None
    """Minutes of each process, reading the data and measuring not counted."""
    batch: int = 8
    crop: int = 256
    device: str = "cpu"
    bfloat16: bool = True
    cuda_graph: bool = True
    side_by_side: bool = False
    """Run the processes at the same time, as a GPU allows."""
    threads: int = 1
    """Threads of each process."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training; `name` is that of its files."""

    name: str
    variant: str
    codec: CodecConfig
    config: TrainingConfig
    quality: int


def groups(options: Options) -> dict[str, list[Job]]:
    """The trainings of each process, by its name. ValueError for a variant that is not there."""
    if unknown := set(options.variants) - set(VARIANTS):
        raise ValueError(f"variants has {min(unknown)!r}: choose among {', '.join(VARIANTS)}")
    if options.ablation:
        return {f"seed {seed}": _ablation(options, seed) for seed in options.seeds}
    found = {"small": _small(options), "paper": _paper(options)}
    return {name: jobs for name, jobs in found.items() if name in options.models}


def _ablation(options: Options, seed: int) -> list[Job]:
    rate = options.learning_rates[0]
    return [
        _job(options, variant, replace(SMALL, **(PLAIN | VARIANTS[variant])), quality, lambda_, rate, seed)
        for variant in options.variants
        for quality, lambda_ in enumerate(options.lambdas, 1)
    ]


def _small(options: Options) -> list[Job]:
    return [
        _job(options, "small", SMALL, quality, lambda_, rate, seed)
        for seed in options.seeds
        for rate in options.learning_rates
        for quality, lambda_ in enumerate(options.lambdas, 1)
    ]


def _paper(options: Options) -> list[Job]:
    quality, rate = len(options.lambdas) + 1, options.paper_learning_rate
    return [_job(options, "paper", PAPER_LOW, quality, options.paper_lambda, rate, seed) for seed in options.seeds]


def _job(
    options: Options, variant: str, codec: CodecConfig, quality: int, lambda_: float, rate: float, seed: int
) -> Job:
    config = TrainingConfig(
        lambda_=lambda_,
        steps=options.steps,
        minutes=options.minutes,
        batch=options.batch,
        crop=options.crop,
        learning_rate=rate,
        bfloat16=options.bfloat16,
        cuda_graph=options.cuda_graph,
        seed=seed,
    )
    words = [variant.replace(" ", "_"), f"{lambda_:g}"]
    words += [f"rate{rate:g}"] if variant == "small" and len(options.learning_rates) > 1 else []
    words += [f"seed{seed}"] if len(options.seeds) > 1 else []
    return Job(name="-".join(words), variant=variant, codec=codec, config=config, quality=quality)
