"""The enhancement module: its size, its skips, and the identity where its last layer is zero."""

import torch
from torch import nn

from law_rl.compression.network.enhancement import Enhancement
from law_rl.compression.network.layers import Conv2d
from law_rl.counters import torch_generator


def test_parameters_are_those_of_the_third_partys_edic() -> None:
    assert sum(part.numel() for part in Enhancement(32, 3).parameters()) == 168_227


def test_skips() -> None:
    """With kernels that pass each channel on, a unit doubles a positive picture, and a block makes it ninefold."""
    module, images = Enhancement(3, 2), torch.rand(1, 3, 5, 6, generator=torch_generator(0, "enhancement test"))
    for layer in module.modules():
        if isinstance(layer, Conv2d):
            nn.init.dirac_(layer.weight)
    torch.testing.assert_close(module(images), images * (1 + 9 * 9))
