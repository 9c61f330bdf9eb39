"""What the entropy coding of one image costs: hyper-latents and latents to bytes and back, one thread.

Latents are drawn from the distributions that they are coded under; most levels are near 0, as those of photographs are.
Building the tables is timed apart, as a codec does it once. The hyper-decoder is not part of it, but shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.running import bar
from benchmarks.tables import RESULTS, markdown_table, write_results
from benchmarks.timing import seconds
from law_rl.compression.bitstream.hyper_parameters import FixedPointDecoder, IntegerParameters
from law_rl.compression.bitstream.latent_coder import LatentCoder
from law_rl.compression.bitstream.table_export import latent_tables, scale
from law_rl.compression.bitstream.tables import LEVELS, PHASES, LatentTables
from law_rl.compression.network.codec_network import HYPER_STRIDE, LATENT_STRIDE, CodecConfig, CodecNetwork, build_codec
from law_rl.counters import numpy_generator

PARTS = ("encode", "decode", "tables", "hyper-decoder")
SCALES = np.array([scale(level) for level in range(LEVELS)])


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which image, by its size alone, and which network."""

    height: int = 512
    width: int = 768
    channels: int = 128
    """Of the hyper-latents."""
    latents: int = 192
    components: tuple[int, ...] = (1, 3)
    rounds: int = 15
    out: Path = RESULTS


def drawn_parameters(components: int, count: int) -> IntegerParameters:
    """Levels near 0 with a long tail; the further components lie near the first and are wider."""
    generator = numpy_generator(0, "entropy coding", components)
    first = generator.gamma(1.0, 9.0, count) - 4
    wider = [first + generator.uniform(-4 * k, 8 * k, count) for k in range(1, components)]
    levels = np.rint(np.stack([first, *wider])).clip(0, LEVELS - 1).astype(np.uint8)
    means = generator.normal(0, 0.7 * PHASES, levels.shape) * SCALES[levels[0]]
    logits = generator.integers(-40, 40, levels.shape) if components > 1 else np.zeros(levels.shape)
    return IntegerParameters(levels=levels, means=np.rint(means).astype(np.int32), logits=logits.astype(np.int32))


def drawn_latents(parameters: IntegerParameters) -> tuple[NDArray[np.float32], float]:
    """Latents float32 [n] of these distributions, and the bytes that they cost by float64 probabilities."""
    generator = numpy_generator(1, "entropy coding")
    weights = np.exp(parameters.logits / PHASES)
    weights /= weights.sum(0)
    columns = np.arange(weights.shape[1])
    component = (generator.random(len(columns)) > np.cumsum(weights, 0)[:-1]).sum(0)
    means, scales = parameters.means / PHASES, SCALES[parameters.levels]
    values = means[component, columns] + generator.normal(size=len(columns)) * scales[component, columns]
    grid = means[0] if len(weights) == 1 else 0.0
    quantised = np.rint(values - grid) + grid
    distances = np.abs(quantised - means)
    bins = ndtr((0.5 - distances) / scales) - ndtr((-0.5 - distances) / scales)
    return quantised.astype(np.float32), float(-np.log2((weights * bins).sum(0)).sum() / 8)


def made_tables(network: CodecNetwork) -> LatentTables:
    return latent_tables(network.prior.double().cdf)


def measured(components: int, options: Options) -> dict[str, float]:
    """Milliseconds, medians over the rounds and the least, and bytes."""
    config = CodecConfig(width=options.channels, latents=options.latents, components=components)
    network = build_codec(config, 0)
    tables = made_tables(network)
    coder = LatentCoder(network.hyper_decoder, components, tables)
    count = options.latents * options.height * options.width // LATENT_STRIDE**2
    parameters = drawn_parameters(components, count)
    latents, ideal = drawn_latents(parameters)
    shape = (options.channels, options.height // HYPER_STRIDE, options.width // HYPER_STRIDE)
    hyper_latents = numpy_generator(2, "entropy coding").normal(0, 2, shape).astype(np.float32)
    first, hyper_symbols = coder.encode_hyper_latents(hyper_latents)
    second, symbols = coder.encode_latents(latents, parameters)
    if (coder.decode_latents(second, parameters) != symbols).any():
        raise RuntimeError("the decoded latents are not the encoded ones")
    fixed = FixedPointDecoder(network.hyper_decoder, components)
    parts: dict[str, Callable[[], object]] = {
        "tables": lambda: LatentCoder(network.hyper_decoder, components, tables),
        "hyper-decoder": lambda: fixed(hyper_symbols),
        "encode z": lambda: coder.encode_hyper_latents(hyper_latents),
        "decode z": lambda: coder.decode_hyper_latents(first, hyper_symbols.shape),
        "encode y": lambda: coder.encode_latents(latents, parameters),
        "decode y": lambda: coder.quantised(coder.decode_latents(second, parameters), parameters),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    with bar(f"K = {components}", options.rounds) as line:
        for done in range(options.rounds):
            for name, part in parts.items():
                times[name].append(1000 * seconds(part))
            line.show(done + 1)
    for way in ("encode", "decode"):
        times[way] = [one + other for one, other in zip(times[f"{way} z"], times[f"{way} y"], strict=True)]
    found = {name: median(values) for name, values in times.items()}
    least = {f"{name}, least": min(values) for name, values in times.items()}
    return found | least | {"bytes": len(second), "ideal": ideal}


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    results = {components: measured(components, options) for components in options.components}
    rows = [
        (
            f"K = {components}",
            *(f"{found[part]:.1f} ({found[f'{part}, least']:.1f})" for part in PARTS),
            f"{found['bytes']:.0f}",
            f"{100 * (found['bytes'] / found['ideal'] - 1):+.3f} %",
        )
        for components, found in results.items()
    ]
    header = ("entropy coding", *(f"{part}, ms" for part in PARTS), "bytes", "over ideal")
    table = markdown_table(header, rows)
    text = (
        f"{table}\n\nOne {options.width} x {options.height} image of {options.latents} latent channels; medians of "
        f"{options.rounds} rounds (and the least), one thread. Tables are built once for a codec."
    )
    write_results(options.out, "entropy_coding", {str(k): found for k, found in results.items()}, text)
    print(text)


if __name__ == "__main__":
    main()
