"""What each part of the video codec is worth: EDIC inside DVC, and DVC without one of its parts, beside plain DVC.

Measures the models that `benchmarks.train_videos` wrote on clips that none of them was trained on, by their own
estimate of the bits, and compares curves of the same seed, clip by clip. What was measured before is kept beside the
models.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
import tyro

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, signed, write_results
from benchmarks.train_videos import LAMBDAS, VARIANTS, Chain
from law_rl.compression.bd_rate import NoOverlap, bd_rate
from law_rl.compression.rate_curve import RateCurve, RatePoint
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.validation import validate_video
from law_rl.files import write_json
from law_rl.statistics import mean_interval

PLAIN = "DVC"
PAPER = {"no motion codec": "below -2", "no refinement": "about -1.0", "no buffer update": "about -0.2"}
"""PSNR in dB that DVC loses on HEVC's class B without the part, arXiv 1812.00101, figure 9."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured."""

    clips: tyro.conf.Positional[Path]
    """A folder of clips, each a folder of pictures."""
    models: Path = Path("videos")
    """The folder that the trainings wrote into."""
    frames: int = 10
    """Of each clip at most."""
    gop: int = 10
    threads: int = 1
    out: Path = RESULTS


def measured(path: Path, chain: Chain, quality: int, options: Options) -> list[Row]:
    """A row for each clip; kept beside the model."""
    kept = path.with_name(f"{path.stem}-{options.frames}-{options.gop}.json")
    if not kept.is_file():
        model = VideoModel.load(path)
        network, intra = model.network(), model.intra_model().network()
        rows = []
        for folder in sorted(options.clips.iterdir()):
            frames = list(islice(open_clip(folder), options.frames))
            found = validate_video(network, intra, [frames], options.gop)
            rows.append({"clip": folder.name, **asdict(found)})
        write_json(kept, {"rows": rows, "provenance": dict(model.provenance)})
    own = {"variant": chain.variant, "seed": chain.seed, "quality": quality, "lambda": LAMBDAS[quality][0]}
    return [own | row for row in json.loads(kept.read_text())["rows"]]


def read_rows(options: Options) -> list[Row]:
    """The rows of all chains that are finished. FileNotFoundError where the plain codec's are not."""
    chains = [Chain(variant=variant, seed=seed) for variant in VARIANTS for seed in range(10)]
    finished = [chain for chain in chains if all(chain.path(options.models, quality).is_file() for quality in LAMBDAS)]
    if not any(chain.variant == PLAIN for chain in finished):
        raise FileNotFoundError(f"there is no finished {PLAIN} in {options.models}: run benchmarks.train_videos first")
    rows: list[Row] = []
    with bar("chains", len(finished)) as line:
        for done, chain in enumerate(finished, 1):
            for quality in LAMBDAS:
                rows += measured(chain.path(options.models, quality), chain, quality, options)
            line.show(done)
    return rows


def seed_rates(rows: Sequence[Row], variant: str) -> dict[int, list[float]]:
    """By seed, the BD-rates of the clips against the plain codec of that seed; clips without overlap are left out."""
    found: dict[int, list[float]] = {}
    for seed in _seeds(rows, variant):
        rates = []
        for clip in sorted({row["clip"] for row in rows}):
            ours, plain = (_curve(rows, name, seed, clip) for name in (variant, PLAIN))
            try:
                rates.append(bd_rate(ours, plain).percent)
            except NoOverlap:
                continue
        found[seed] = rates
    return found


def seed_gains(rows: Sequence[Row], variant: str) -> list[float]:
    """For each seed how many dB the rate-distortion cost is below the plain codec's, over clips and lambdas."""
    return [_decibels(rows, variant, seed) - _decibels(rows, PLAIN, seed) for seed in _seeds(rows, variant)]


def _decibels(rows: Sequence[Row], variant: str, seed: int) -> float:
    """-10 log10 of the mean cost, over clips and lambdas; the error is that of the mean PSNR."""
    own = [row for row in rows if row["variant"] == variant and row["seed"] == seed]
    return fmean(-10 * np.log10(row["bpp"] / row["lambda"] + 10 ** (-row["psnr"] / 10)) for row in own)


def _seeds(rows: Sequence[Row], variant: str) -> list[int]:
    """Those that the variant and the plain codec have."""
    by = [{row["seed"] for row in rows if row["variant"] == name} for name in (variant, PLAIN)]
    return sorted(by[0] & by[1])


def _curve(rows: Sequence[Row], variant: str, seed: int, clip: str) -> RateCurve:
    own = [row for row in rows if (row["variant"], row["seed"], row["clip"]) == (variant, seed, clip)]
    points = [RatePoint(setting=str(row["quality"]), bpp=row["bpp"], psnr=row["psnr"], ms_ssim=None) for row in own]
    return RateCurve(name=variant, points=tuple(points))


def report(rows: Sequence[Row]) -> str:
    """A line for each variant but the plain one."""
    lines = []
    variants = [name for name in VARIANTS if name != PLAIN and _seeds(rows, name)]
    for variant in variants:
        rates, gains = seed_rates(rows, variant), seed_gains(rows, variant)
        means = [fmean(values) for values in rates.values() if values]
        left_out = sum(len({row["clip"] for row in rows}) - len(values) for values in rates.values())
        cells = (_interval(means) + (f" ({left_out} without overlap)" if left_out else ""), _interval(gains))
        lines.append((variant, *cells, str(len(gains)), PAPER.get(variant, "")))
    header = ("beside plain DVC", "BD-rate, %", "cost, dB better", "seeds", "PSNR in DVC's paper, dB")
    return markdown_table(header, lines)


def parts(rows: Sequence[Row]) -> str:
    """What each variant's frames are made of, at the highest lambda, means over seeds and clips."""
    names = ("bpp", "psnr", "predicted_bpp", "motion_bpp", "warped_psnr", "prediction_psnr", "predicted_psnr")
    lines = []
    for variant in VARIANTS:
        own = [row for row in rows if row["variant"] == variant and row["quality"] == max(LAMBDAS)]
        if own:
            means = {name: fmean(row[name] for row in own) for name in names}
            lines.append((variant, *(f"{means[name]:.{3 if name.endswith('bpp') else 2}f}" for name in names)))
    header = ("lambda 1024", "bpp", "PSNR", "predicted: bpp", "motion bpp", "PSNR warped", "mended", "decoded")
    return markdown_table(header, lines)


def _interval(values: Sequence[float]) -> str:
    if not values:
        return "none"
    return signed(mean_interval(values)) if len(values) > 1 else f"{values[0]:+.2f}"


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    rows = read_rows(options)
    clips = len({row["clip"] for row in rows})
    text = (
        f"{report(rows)}\n\n{parts(rows)}\n\nFirst {options.frames} frames of each of {clips} clips, GOP "
        f"{options.gop}, estimated bits, one intra codec for all. BD-rate by PSNR over three lambdas, negative: fewer "
        "bits; cost: bits per pixel / lambda + mean squared error, positive: lower. Means of clips, and over seeds "
        "with their 95 % t interval."
    )
    command = "video_ablation CLIPS --models FOLDER"
    write_results(options.out, "video_ablation", {"rows": rows}, text, command=command)
    print(text)


if __name__ == "__main__":
    main()
