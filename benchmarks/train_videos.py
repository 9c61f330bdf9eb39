"""Trainings of small video codecs on two cores: DVC, EDIC inside it, and DVC without one of its parts.

For each variant and seed a network learns at the highest lambda, and goes on from there for the lower ones. All learn
from the same synthetic clips over BSDS500's photographs, for as many steps. The models that ship are those of EDIC in
DVC and seed 0, with cards as `law-rl codec train-video` writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
import tyro

from benchmarks.running import bar
from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.photograph_files import bsds_folder, read_photographs
from law_rl.compression.shipped import model_path
from law_rl.compression.training import Moment, train_together
from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.video_network import DVC, EDIC_DVC, VideoConfig
from law_rl.compression.video.objective import intra_frames
from law_rl.compression.video.synthetic import synthetic_clips
from law_rl.compression.video.training import video_training
from law_rl.compression.video.training_config import VideoTrainingConfig

VARIANTS: dict[str, tuple[VideoConfig, bool]] = {
    "DVC": (DVC, True),
    "EDIC in DVC": (EDIC_DVC, True),
    "no motion codec": (replace(DVC, motion=0), True),
    "no refinement": (replace(DVC, compensation=0), True),
    "no buffer update": (DVC, False),
}
"""Parts of the network, and whether references are decoded frames."""

LAMBDAS = {3: (1024.0, "small-2048"), 2: (384.0, "small-768"), 1: (128.0, "small-256")}
"""By quality: lambda of predicted frames, and the intra codec. DVC takes a fourth of the intra codec's lambda; here it
is a half, since no intra codec of more than 2048 ships.
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is trained, and where the models go."""

    out: Path
    variants: tuple[str, ...] = tuple(VARIANTS)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 900
    """Steps at the highest lambda."""
    further: int = 150
    """Steps at each lower one."""
    clips: int = 300
    frames: int = 6
    size: int = 128
    learning_rate: float = 1e-3
    part: int = 0
    """Trains the chains whose number leaves this rest when divided by `parts`, so that processes can share them."""
    parts: int = 1


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The trainings of one variant and seed, one after the other."""

    variant: str
    seed: int

    def path(self, folder: Path, quality: int) -> Path:
        """Where its model of a quality goes."""
        return folder / f"{self.variant.replace(' ', '_')}-seed{self.seed}-{quality}.safetensors"


def chains(options: Options) -> list[Chain]:
    """Those of this process, all variants of a seed before the next; ValueError for a variant that is not there."""
    if unknown := set(options.variants) - set(VARIANTS):
        raise ValueError(f"variants has {min(unknown)!r}: choose among {', '.join(VARIANTS)}")
    every = [Chain(variant=variant, seed=seed) for seed in options.seeds for variant in options.variants]
    return every[options.part :: options.parts]


@cache
def _clips(count: int, frames: int, size: int) -> ClipSet:
    photographs = read_photographs([bsds_folder()]).train
    return synthetic_clips(photographs, count=count, frames=frames, size=size, seed=0)


@cache
def _intra(name: str) -> CodecModel:
    return CodecModel.load(model_path(name))


@cache
def _decoded(name: str, count: int, frames: int, size: int) -> torch.Tensor:
    return intra_frames(_clips(count, frames, size).frames, _intra(name).network())


def training_config(options: Options, chain: Chain, quality: int) -> VideoTrainingConfig:
    """How a model is trained: with the stages of flow, motion and compensation only where it begins afresh."""
    decoded, first = VARIANTS[chain.variant][1], quality == max(LAMBDAS)
    share = 0.1 if first else 0.0
    return VideoTrainingConfig(
        lambda_=LAMBDAS[quality][0],
        steps=options.steps if first else options.further,
        crop=options.size,
        learning_rate=options.learning_rate,
        flow=share,
        motion=share,
        compensation=share,
        reference="decoded" if decoded else "original",
        bfloat16=True,
        seed=chain.seed,
    )


def run(chain: Chain, quality: int, options: Options) -> None:
    """Trains and writes one model, from a checkpoint beside it where it was stopped."""
    path, video = chain.path(options.out, quality), VARIANTS[chain.variant][0]
    sizes, name = (options.clips, options.frames, options.size), LAMBDAS[quality][1]
    config = training_config(options, chain, quality)
    before = None if quality == max(LAMBDAS) else VideoModel.load(chain.path(options.out, quality + 1)).network()
    checkpoint = path.with_suffix(".checkpoint")
    training = video_training(video, config, _clips(*sizes), _decoded(name, *sizes), checkpoint, before)
    last: dict[str, float] = {}
    assert config.steps is not None
    with bar(path.stem, config.steps) as line:

        def show(_: int, moment: Moment) -> None:
            last.update(cost=moment.cost, bpp=moment.bpp, distortion=moment.distortion)
            line.show(moment.step)

        train_together([training], show)
    provenance = {"variant": chain.variant, "seed": chain.seed, "seconds": training.seconds, **last}
    VideoModel.export(
        training.network(), lambda_=config.lambda_, quality=quality, provenance=provenance, intra=_intra(name).hash
    ).save(path)
    checkpoint.unlink()


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    for chain in chains(options):
        for quality in LAMBDAS:
            if not chain.path(options.out, quality).exists():
                run(chain, quality, options)


if __name__ == "__main__":
    main()
