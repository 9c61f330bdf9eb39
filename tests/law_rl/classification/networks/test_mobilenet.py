import pytest
import torch
from torch import nn

from law_rl.classification.networks.layers import Conv2d
from law_rl.classification.networks.mobilenet import InvertedResidual
from tests.law_rl.classification.networks.oracles import (
    build,
    convolution_and_norm,
    convolve,
    draw,
    images,
    normalise,
    parameter_count,
)

TABLE_2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def half(channels: int, divisor: int) -> int:
    """Half the channels, as the nearest multiple of the divisor, of two the upper."""
    return (channels // 2 + divisor // 2) // divisor * divisor


def count_of_half(classes: int, divisor: int) -> int:
    count, inputs = convolution_and_norm(3, 16, 3), 16
    for expansion, channels, blocks, _ in TABLE_2:
        outputs = half(channels, divisor)
        for _ in range(blocks):
            hidden = expansion * inputs
            count += convolution_and_norm(inputs, hidden, 1) if expansion > 1 else 0
            count += convolution_and_norm(1, hidden, 3) + convolution_and_norm(hidden, outputs, 1)
            inputs = outputs
    return count + convolution_and_norm(inputs, 1280, 1) + 1280 * classes + classes


def test_parameter_counts_are_the_known_ones() -> None:
    imagenet = build("mobilenetv2_x0_5", image_shape=(3, 64, 64), classes=1000)
    assert parameter_count(imagenet) == count_of_half(1000, 8) == 1_968_680
    # 812,836 where the block at expansion 1 has a first convolution too, from 16 channels to 16
    cifar = build("mobilenetv2_x0_5", classes=100)
    assert parameter_count(cifar) == count_of_half(100, 4) == 812_836 - convolution_and_norm(16, 16, 1)


@pytest.mark.parametrize(("side", "sizes"), [(64, (32, 16, 8, 4, 4, 2, 2)), (63, (32, 32, 16, 8, 8, 4, 4))])
def test_stages_have_the_channels_and_resolutions_of_the_table(side: int, sizes: tuple[int, ...]) -> None:
    network = build("mobilenetv2_x0_5", image_shape=(1, side, side + 9))
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, InvertedResidual):
            module.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape[1:3])))
    with torch.no_grad():
        assert network.embed(images(2, (1, side, side + 9))).shape == (2, 1280)
    expected: list[tuple[int, ...]] = []
    for (_, channels, blocks, _), size in zip(TABLE_2, sizes, strict=True):
        expected += [(half(channels, 8 if side == 64 else 4), size)] * blocks
    assert seen == expected


@pytest.mark.parametrize(
    ("outputs", "stride", "expansion", "residual"),
    [(4, 1, 6, True), (4, 1, 1, True), (4, 2, 6, False), (3, 1, 2, False), (3, 2, 1, False)],
)
def test_inverted_residual_computes_its_definition(outputs: int, stride: int, expansion: int, residual: bool) -> None:
    block = InvertedResidual(4, outputs, stride, expansion).double()
    draw(block)
    hidden = features = images(2, (4, 5, 4)).double()
    *activated, project = [module for module in block.modules() if isinstance(module, Conv2d)]
    *norms, last = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [layer.groups for layer in activated] == ([1] if expansion > 1 else []) + [4 * expansion]
    for layer, norm in zip(activated, norms, strict=True):
        with torch.no_grad():
            norm.weight.mul_(6)
        step = stride if layer.groups > 1 else 1
        normalised = normalise(convolve(hidden, layer, step), norm)
        assert normalised.max() > 6 and normalised.min() < 0
        hidden = normalised.clamp(0, 6)
    expected = normalise(convolve(hidden, project), last)
    expected = expected + features if residual else expected
    torch.testing.assert_close(block(features), expected, rtol=1e-10, atol=1e-10)
