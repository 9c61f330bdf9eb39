"""What a network costs to use: parameters, multiply-accumulates, and time on the CPU."""

import copy
import platform
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from law_rl.counters import torch_generator

WARM_UP = 20
"""Passes before the first that is timed."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds that one forward pass of a batch takes on the CPU: median and 95 % quantile of `rounds` passes."""

    median_ms: float
    p95_ms: float
    batch: int
    threads: int
    rounds: int
    cpu: str
    torch: str


def measure_latency(
    network: nn.Module, image_shape: tuple[int, int, int], *, batch: int = 1, threads: int = 1, rounds: int = 200
) -> Latency:
    """Times the forward pass in torch on the CPU, in evaluation mode, on normal noise [batch, C, H, W].

    Of a copy of the network, after a warm-up, with as many threads as asked; the process's own number of threads is
    put back. Raises ValueError for a batch, threads or rounds below 1.
    """
    if min(batch, threads, rounds) < 1:
        raise ValueError(f"batch is {batch}, threads {threads} and rounds {rounds}: give at least 1 of each")
    network = _idle_copy(network)
    images = torch.randn(batch, *image_shape, generator=torch_generator(0, "latency"))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            passes = [_milliseconds(network, images) for _ in range(WARM_UP + rounds)][WARM_UP:]
    finally:
        torch.set_num_threads(before)
    median, p95 = np.quantile(passes, [0.5, 0.95]).tolist()
    return Latency(
        median_ms=median,
        p95_ms=p95,
        batch=batch,
        threads=threads,
        rounds=rounds,
        cpu=f"{platform.machine()} with {torch.backends.cpu.get_cpu_capability()}",
        torch=torch.__version__,
    )


def parameter_count(network: nn.Module) -> int:
    """How many numbers training adjusts; statistics of normalisation are not among them."""
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_accumulates(network: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of one image [C, H, W] in convolutions and matrix products: half their operations."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        _idle_copy(network)(torch.zeros(1, *image_shape))
    return int(counter.get_total_flops()) // 2


def _idle_copy(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network).cpu().eval()


def _milliseconds(network: nn.Module, images: torch.Tensor) -> float:
    start = time.perf_counter_ns()
    network(images)
    return (time.perf_counter_ns() - start) / 1e6
