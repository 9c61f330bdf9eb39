import pytest
import torch
from torch import nn

from law_rl.classification.networks.mobilenet import InvertedResidual
from tests.law_rl.classification.networks.oracles import build, convolution_and_norm, images, parameter_count

TABLE_1 = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


def body_count(embedding: int, side: int = 7, channels: int = 3) -> int:
    """Every convolution with its normalisation, and with a slope per channel where PReLU follows."""
    count, inputs = convolution_and_norm(channels, 64, 3) + 64 + convolution_and_norm(1, 64, 3) + 64, 64
    for expansion, outputs, blocks, _ in TABLE_1:
        for _ in range(blocks):
            hidden = expansion * inputs
            count += convolution_and_norm(inputs, hidden, 1) + convolution_and_norm(1, hidden, 3) + 2 * hidden
            count += convolution_and_norm(hidden, outputs, 1)
            inputs = outputs
    count += convolution_and_norm(inputs, 512, 1) + 512 + convolution_and_norm(1, 512, side)
    return count + convolution_and_norm(512, embedding, 1)


def test_parameter_counts() -> None:
    """The paper gives 0.99 million for 128 outputs."""
    shape = (3, 112, 112)
    assert parameter_count(build("mobilefacenet", image_shape=shape).body) == body_count(512) == 1_200_512
    small = build("mobilefacenet", image_shape=shape, embedding=128)
    assert parameter_count(small.body) == body_count(128) == 1_003_136


@pytest.mark.parametrize(("channels", "side", "sizes"), [(3, 112, (28, 14, 14, 7, 7)), (1, 33, (9, 5, 5, 3, 3))])
def test_stages_have_the_channels_and_resolutions_of_table_1(channels: int, side: int, sizes: tuple[int, ...]) -> None:
    network = build("mobilefacenet", image_shape=(channels, side, side)).eval()
    assert parameter_count(network.body) == body_count(512, sizes[-1], channels)
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        assert not isinstance(module, nn.ReLU6)
        if isinstance(module, InvertedResidual):
            module.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape[1:3])))
    with torch.no_grad():
        assert network.embed(images(1, (channels, side, side))).shape == (1, 512)
    expected: list[tuple[int, int]] = []
    for (_, outputs, blocks, _), size in zip(TABLE_1, sizes, strict=True):
        expected += [(outputs, size)] * blocks
    assert seen == expected
    residual = [module.residual for module in network.modules() if isinstance(module, InvertedResidual)]
    assert residual == [False] + [True] * 4 + [False] + [True] * 6 + [False] + [True] * 2
