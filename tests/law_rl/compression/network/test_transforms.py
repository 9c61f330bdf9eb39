"""The transforms' shapes, sizes and the last layer in the place of a transposed convolution."""

import torch
from torch import nn

from law_rl.compression.network.gdn import GDN
from law_rl.compression.network.layers import Conv2d, Upsampling
from law_rl.compression.network.transforms import Analysis, Synthesis
from law_rl.counters import torch_generator


def test_shapes_and_parameters() -> None:
    analysis, synthesis = Analysis(128, 192), Synthesis(192, 128)
    gdn = 3 * (128 * 128 + 128)
    convolutions = 25 * (3 * 128 + 2 * 128 * 128 + 128 * 192) + 3 * 128 + 192
    assert sum(part.numel() for part in analysis.parameters()) == convolutions + gdn
    last = 9 * 128 * 12 + 12
    assert sum(part.numel() for part in synthesis.parameters()) == (
        25 * (192 * 128 + 2 * 128 * 128) + 3 * 128 + last + gdn
    )
    small = Synthesis(4, 6)(torch.zeros(2, 4, 3, 5))
    assert small.shape == (2, 3, 48, 80)
    assert Analysis(6, 4)(torch.zeros(2, 3, 48, 80)).shape == (2, 4, 3, 5)


def test_the_last_layer_can_be_any_transposed_convolution() -> None:
    """A transposed convolution 5 x 5 of stride 2 is a convolution 3 x 3 to the four pixels of each position."""
    deconvolution, convolution = Upsampling(2, 3), Conv2d(2, 12, 3)
    nn.init.normal_(deconvolution.weight, generator=torch_generator(0, "transforms test"))
    with torch.no_grad():
        for row in (0, 1):
            for column in (0, 1):
                for y in (-1, 0, 1):
                    for x in (-1, 0, 1):
                        tap = (row - 2 * y + 2, column - 2 * x + 2)
                        if max(tap) < 5:
                            target = convolution.weight[2 * row + column :: 4, :, y + 1, x + 1]
                            target.copy_(deconvolution.weight[:, :, tap[0], tap[1]].T)
    x = torch.randn(1, 2, 4, 3, generator=torch_generator(1, "transforms test"))
    torch.testing.assert_close(nn.functional.pixel_shuffle(convolution(x), 2), deconvolution(x))


def test_latents_are_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Analysis(4, 4)(torch.zeros(1, 3, 16, 16)).dtype == torch.float32


def test_activations_are_gdn_and_its_inverse() -> None:
    directions = [[m.inverse for m in net.modules() if isinstance(m, GDN)] for net in (Analysis(4, 4), Synthesis(4, 4))]
    assert directions == [[False] * 3, [True] * 3]
