"""What each module of the codec is worth: its BD-rate against the plain codec, its size, and its decoding time.

Reads the results.json that `benchmarks.train_codecs --ablation` wrote into each of the folders. The curves of a seed
are compared with the plain codec's of the same seed. Decoding is timed with untrained networks of the same sizes.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from benchmarks.codec_jobs import VARIANTS
from benchmarks.tables import RESULTS, markdown_table, signed, write_results
from benchmarks.timing import medians, seconds
from benchmarks.untrained_codecs import photograph, untrained_model
from law_rl.compression.bd_rate import bd_rate
from law_rl.compression.codec import Codec
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork
from law_rl.compression.rate_curve import RateCurve, RatePoint
from law_rl.statistics import mean_interval

PLAIN = "plain"
HEIGHT, WIDTH = 512, 768

Row = Mapping[str, Any]
Curves = Mapping[str, Mapping[int, RateCurve]]
"""By variant and seed."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is read, and how decoding is timed."""

    folders: tuple[Path, ...] = (Path("codecs"),)
    threads: int = 2
    rounds: int = 9
    out: Path = RESULTS


def read_rows(folders: Iterable[Path]) -> list[Row]:
    """The rows of the ablation's trainings. FileNotFoundError where a folder has none yet; ValueError where the plain
    codec is not among them."""
    rows: list[Row] = []
    for path in (folder / "results.json" for folder in folders):
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: run benchmarks.train_codecs --ablation --out {path.parent}.")
        rows += [row for row in json.loads(path.read_text())["rows"] if row["variant"] in VARIANTS]
    if not any(row["variant"] == PLAIN for row in rows):
        raise ValueError(f"the trainings have no variant {PLAIN!r}: train it, as the others are compared with it.")
    return rows


def curves(rows: Iterable[Row]) -> Curves:
    """The curve of each variant and seed, in the order of `VARIANTS`.

    Raises ValueError where a training is there twice, or a seed's lambdas are not those of the plain codec.
    """
    points: dict[str, dict[int, dict[float, RatePoint]]] = {}
    for row in rows:
        lambda_, seed = row["training"]["lambda_"], row["training"]["seed"]
        own = points.setdefault(row["variant"], {}).setdefault(seed, {})
        if lambda_ in own:
            raise ValueError(f"{row['name']} is there twice: name each folder once.")
        own[lambda_] = RatePoint(setting=f"{lambda_:g}", bpp=row["bpp"], psnr=row["psnr"], ms_ssim=None)
    for variant, seeds in points.items():
        for seed, own in seeds.items():
            if set(own) != set(points[PLAIN].get(seed, ())):
                raise ValueError(f"{variant} and {PLAIN} have other lambdas at seed {seed}: finish the trainings.")
    return {
        variant: {
            seed: RateCurve(name=f"{variant}, seed {seed}", points=tuple(own.values()))
            for seed, own in points[variant].items()
        }
        for variant in VARIANTS
        if variant in points
    }


def bd_rates(found: Curves) -> dict[str, list[float]]:
    """Per cent more bits than the plain codec (fewer: negative) of each other variant, seed by seed."""
    return {
        variant: [bd_rate(curve, found[PLAIN][seed]).percent for seed, curve in sorted(seeds.items())]
        for variant, seeds in found.items()
        if variant != PLAIN
    }


def decoding_seconds(configs: Mapping[str, CodecConfig], options: Options) -> dict[str, float]:
    """Median seconds of decoding a photograph of 768 x 512 with each of the configurations."""
    picture = photograph(HEIGHT, WIDTH)

    def case(config: CodecConfig) -> Callable[[], float]:
        codec = Codec(untrained_model(config))
        content = codec.encode(picture)
        return lambda: seconds(lambda: codec.decode(content))

    return medians({name: case(config) for name, config in configs.items()}, "decodings", options.rounds)


def parameters(config: CodecConfig) -> int:
    return sum(parameter.numel() for parameter in CodecNetwork(config).parameters())


def verdict(values: Sequence[float]) -> str:
    """Whether a module pays, by the BD-rates of its seeds."""
    if len(values) < 2:
        return "one seed does not tell"
    interval = mean_interval(values)
    return "pays" if interval.high < 0 else "costs" if interval.low > 0 else "not shown"


def report(rates: Mapping[str, Sequence[float]], times: Mapping[str, float], sizes: Mapping[str, int]) -> str:
    """A line for each variant, the plain one first."""
    rows = [(PLAIN, "", "", "", f"{sizes[PLAIN]:,}", f"{1000 * times[PLAIN]:.0f}", "")]
    for variant, values in rates.items():
        over = 100 * (times[variant] / times[PLAIN] - 1)
        cells = (signed(mean_interval(values)), str(len(values)), verdict(values))
        rows.append((variant, *cells, f"{sizes[variant]:,}", f"{1000 * times[variant]:.0f}", f"{over:+.0f} %"))
    header = ("codec", "BD-rate, %", "seeds", "", "parameters", "decoding, ms", "over plain")
    return markdown_table(header, rows)


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(options.threads)
    rows = read_rows(options.folders)
    rates = bd_rates(curves(rows))
    configs = {row["variant"]: CodecConfig(**row["codec"]) for row in rows}
    times = decoding_seconds(configs, options)
    sizes = {variant: parameters(config) for variant, config in configs.items()}
    text = (
        f"{report(rates, times, sizes)}\n\nBits by PSNR against the plain codec of the same seed, from estimated bits: "
        "the mean and its 95 % t interval over the seeds. A module pays where the interval lies below zero. Decoding: "
        f"{WIDTH} x {HEIGHT}, {options.threads} threads, float32, medians of {options.rounds} rounds that take turns, "
        f"untrained weights. Each training took {_steps(rows)} steps."
    )
    value = {"bd_rates": rates, "parameters": sizes, "decoding_seconds": times, "rows": rows}
    write_results(options.out, "codec_ablation", value, text)
    print(text)


def _steps(rows: Sequence[Row]) -> str:
    steps = sorted({row["steps"] for row in rows})
    return f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"


if __name__ == "__main__":
    main()
