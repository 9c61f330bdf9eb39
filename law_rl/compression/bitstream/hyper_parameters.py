"""From symbols of z to the parameters of y's probabilities: the hyper-decoder, alike on every machine."""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from law_rl.compression.bitstream.fixed_point import fixed_point
from law_rl.compression.bitstream.grid import LIMIT
from law_rl.compression.bitstream.tables import LEVELS, PHASES

LARGEST_HYPER_LATENT = int(LIMIT)
"""The largest magnitude of a symbol of z, 1024."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerParameters:
    """Parameters of the K Gaussians of each of y's entries, all [K, n] with n = M h w in y's order.

    `levels` uint8: of the scale, 0 to 63; `means` int32 in sixteenths; `logits` int32 in sixteenths, what the weights
    are the softmax of.
    """

    levels: NDArray[np.uint8]
    means: NDArray[np.int32]
    logits: NDArray[np.int32]

    def of(self, part: slice) -> "IntegerParameters":
        """Those of some of the entries."""
        return IntegerParameters(levels=self.levels[:, part], means=self.means[:, part], logits=self.logits[:, part])

    def crc(self) -> int:
        """The CRC32 of all of them."""
        crc = zlib.crc32(self.levels.tobytes())
        return zlib.crc32(self.logits.astype("<i4").tobytes(), zlib.crc32(self.means.astype("<i4").tobytes(), crc))


class FixedPointDecoder:
    """A hyper-decoder with K = `components` whose parameters come out alike on every machine (see `fixed_point`).

    Runs on the CPU. Raises ValueError for a network that cannot be computed exactly.
    """

    def __init__(self, hyper_decoder: nn.Sequential, components: int) -> None:
        self._network = fixed_point(hyper_decoder).cpu()
        self._components = components

    @torch.inference_mode()
    def __call__(self, hyper_latents: NDArray[np.int32]) -> IntegerParameters:
        """The parameters for symbols of z [N, h, w], magnitudes up to 1024: those of M x 4h x 4w entries of y."""
        values = self._network(torch.from_numpy(hyper_latents).double()[None])[0]
        raw = values.reshape(-1, self._components, values.numel() // self._groups)
        levels = raw[0].add(0.5).floor_().clamp_(0, LEVELS - 1).to(torch.uint8)
        fine = raw[1:].mul_(PHASES).add_(0.5).floor_().to(torch.int32).numpy()
        logits = fine[1] if self._components > 1 else np.zeros_like(fine[0])
        return IntegerParameters(levels=levels.numpy(), means=fine[0], logits=logits)

    @property
    def _groups(self) -> int:
        """How many groups of M channels the network gives: scales, means, and weights unless there is one Gaussian."""
        return 3 * self._components if self._components > 1 else 2
