"""Randomness from counters: every draw is a function of (seed, purpose, counters), never of global state."""

import hashlib

import numpy as np
import torch


def counter_seed(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for one draw: equal arguments give equal seeds, any difference gives an unrelated one."""
    words = f"{seed}/{purpose}/" + "/".join(str(counter) for counter in counters)
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "little") >> 1


def torch_generator(seed: int, purpose: str, *counters: int, device: str = "cpu") -> torch.Generator:
    """A torch generator on `device` that stands at the start of the stream named by the arguments."""
    return torch.Generator(device=device).manual_seed(counter_seed(seed, purpose, *counters))


def numpy_generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """A numpy generator that stands at the start of the stream named by the arguments."""
    return np.random.default_rng(counter_seed(seed, purpose, *counters))
