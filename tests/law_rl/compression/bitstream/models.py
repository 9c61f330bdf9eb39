"""Tiny codec models whose weights are a formula, so that they are the same on every machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork
from law_rl.counters import numpy_generator

WIDTH, LATENTS = 4, 6


def formula_weights(shape: tuple[int, ...], reach: float) -> Tensor:
    """Multiples of 1/64 in no order to see, exact in float16."""
    count = int(np.prod(shape))
    numbers = (np.arange(count) * 7919 + 104729 * count) % 127 - 63
    return torch.from_numpy(np.rint(numbers * reach) / 64).float().reshape(shape)


def tiny_network(components: int = 1) -> CodecNetwork:
    network = CodecNetwork(CodecConfig(width=WIDTH, latents=LATENTS, components=components, attention="none"))
    with torch.no_grad():
        for transform, reach in ((network.analysis, 0.2), (network.synthesis, 0.1), (network.hyper_analysis, 0.3)):
            for name, parameter in transform.named_parameters():
                if name.endswith("weight"):
                    parameter.copy_(formula_weights(tuple(parameter.shape), reach))
        for parameter in network.hyper_decoder.parameters():
            parameter.copy_(formula_weights(tuple(parameter.shape), 0.3))
        levels = components * LATENTS
        network.hyper_decoder[-1].bias[:levels] = torch.linspace(0, 20, levels).round()
    return network


@cache
def tiny_model(components: int = 1) -> CodecModel:
    """One for qualities 1 (K = 1) and 3 (K = 3)."""
    return CodecModel.export(tiny_network(components), lambda_=1024, quality=components, provenance={"by": "test"})


SETTINGS = [(1, True), (2, True), (1, False), (2, False)]
"""Threads, and whether oneDNN is on."""


@contextmanager
def torch_setting(threads: int, *, onednn: bool) -> Iterator[None]:
    before, was_on = torch.get_num_threads(), torch.backends.mkldnn.enabled
    torch.set_num_threads(threads)
    torch.backends.mkldnn.set_flags(_enabled=onednn)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.mkldnn.set_flags(_enabled=was_on)


def picture(height: int, width: int, *, grey: bool = False, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth picture with some noise."""
    generator = numpy_generator(seed, "codec picture")
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin(across / (9 + 7 * c) + c) * np.cos(down / (13 - 3 * c)) for c in range(3)]
    pixels = 128 + 90 * np.stack(waves, -1) + generator.normal(0, 3, (height, width, 3))
    image = pixels.clip(0, 255).astype(np.uint8)
    return image[..., 0] if grey else image


def drawn_counts(seed: int, symbols: int) -> NDArray[np.int32]:
    """Counts of `symbols` symbols that add up to 2^24, some of them 1."""
    generator = numpy_generator(seed, "counts")
    shares = generator.exponential(size=symbols) ** 4
    counts = 1 + np.floor(shares / shares.sum() * ((1 << 24) - symbols)).astype(np.int32)
    counts[counts.argmax()] += (1 << 24) - counts.sum()
    return counts


def ideal_bytes(probabilities: NDArray[np.float64]) -> float:
    return float(-np.log2(probabilities).sum() / 8)
