"""The hyper-transforms' shapes, and what their layers may be."""

import pytest
import torch
from torch import nn

from law_rl.compression.network.hyper import HyperAnalysis, HyperDecoder


@pytest.mark.parametrize(("components", "channels"), [(1, 2), (2, 6), (3, 9)])
def test_shapes(components: int, channels: int) -> None:
    z = HyperAnalysis(4, 5)(torch.zeros(2, 5, 8, 12))
    assert z.shape == (2, 4, 2, 3)
    assert HyperDecoder(4, 5, components)(z).shape == (2, channels * 5, 8, 12)


def test_the_decoder_can_run_in_integers() -> None:
    layers = list(HyperDecoder(4, 5, 3))
    assert all(isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.ReLU)) for layer in layers)
    assert isinstance(layers[-1], nn.Conv2d)
