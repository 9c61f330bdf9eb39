import pytest
import torch
from torch import nn

from law_rl.classification.networks import NetworkName
from law_rl.classification.networks.iresnet import IBasicBlock, ShiftedNorm
from tests.law_rl.classification.networks.oracles import (
    build,
    convolution_and_norm,
    convolve,
    draw,
    images,
    normalise,
    parameter_count,
    prelu,
)

INSIGHTFACE_50 = 43_590_848
"""Parameters of insightface's IResNet-50 for 112 x 112 pixels and 512 outputs; among them a bias of the linear layer
and a scale of the last normalisation, fixed at 1, which ours has not."""


def body_count(depths: tuple[int, ...], side: int, embedding: int = 512, channels: int = 3) -> int:
    count, inputs = convolution_and_norm(channels, 64, 3) + 64, 64
    for outputs, blocks in zip((64, 128, 256, 512), depths, strict=True):
        for block in range(blocks):
            count += 2 * inputs + convolution_and_norm(inputs, outputs, 3) + outputs
            count += convolution_and_norm(outputs, outputs, 3)
            count += convolution_and_norm(inputs, outputs, 1) if block == 0 else 0
            inputs = outputs
    return count + 2 * 512 + 512 * side**2 * embedding + embedding


@pytest.mark.parametrize(
    ("name", "depths", "count"),
    [
        ("iresnet18", (2, 2, 2, 2), 24_024_576),
        ("iresnet50", (3, 4, 14, 3), INSIGHTFACE_50 - 2 * 512),
        ("iresnet100", (3, 13, 30, 3), 65_155_136),
    ],
)
def test_parameter_counts_are_those_of_insightface(name: NetworkName, depths: tuple[int, ...], count: int) -> None:
    network = build(name, image_shape=(3, 112, 112))
    assert parameter_count(network.body) == body_count(depths, 7) == count
    assert sum(isinstance(module, IBasicBlock) for module in network.modules()) == sum(depths)


@pytest.mark.parametrize(("channels", "side", "embedding"), [(1, 32, 16), (3, 48, 0), (2, 49, 8)])
def test_any_image_is_taken(channels: int, side: int, embedding: int) -> None:
    network = build("iresnet18", image_shape=(channels, side, side), embedding=embedding).eval()
    last = -(-side // 16)
    assert parameter_count(network.body) == body_count((2, 2, 2, 2), last, embedding or 512, channels)
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, IBasicBlock):
            module.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape[1:3])))
    with torch.no_grad():
        assert network.embed(images(1, (channels, side, side))).shape == (1, embedding or 512)
    assert seen == [(64 * 2**stage, -(-side // 2 ** (stage + 1))) for stage in range(4) for _ in range(2)]


@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (3, 2), (6, 2)])
def test_a_block_computes_its_definition(outputs: int, stride: int) -> None:
    block = IBasicBlock(3, outputs, stride).double()
    draw(block)
    features = images(2, (3, 5, 4)).double()
    hidden = normalise(convolve(normalise(features, block.norm1), block.conv1), block.norm2)
    hidden = normalise(convolve(prelu(hidden, block.activation.weight), block.conv2, stride), block.norm3)
    shortcut = features
    if isinstance(block.shortcut, nn.Sequential):
        convolution, norm = block.shortcut
        shortcut = normalise(convolve(features, convolution, stride), norm)
    torch.testing.assert_close(block(features), hidden + shortcut, rtol=1e-10, atol=1e-10)
    assert isinstance(block.shortcut, nn.Identity) == (stride == 1)


def test_the_last_normalisation_learns_a_shift_and_no_scale() -> None:
    norm = ShiftedNorm(4).double()
    draw(norm)
    assert [name for name, _ in norm.named_parameters()] == ["bias"]
    embeddings = 3 * images(6, (4, 1, 1)).flatten(1).double() + 1
    centred = embeddings - embeddings.mean(0)
    expected = centred / (centred.square().mean(0) + 1e-5).sqrt() + norm.bias
    torch.testing.assert_close(norm(embeddings), expected, rtol=1e-10, atol=1e-10)
