from typing import cast

import pytest
import torch
from torch import nn

from law_rl.classification.networks import NetworkName
from law_rl.classification.networks.layers import Conv2d
from law_rl.classification.networks.resnet import BasicBlock, BottleneckBlock, PaddedShortcut
from tests.law_rl.classification.networks.oracles import (
    build,
    convolution_and_norm,
    convolve,
    draw,
    images,
    normalise,
    parameter_count,
)


def cifar_resnet_count(blocks: int) -> int:
    count = convolution_and_norm(3, 16, 3)
    for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
        count += convolution_and_norm(inputs, outputs, 3) + (2 * blocks - 1) * convolution_and_norm(outputs, outputs, 3)
    return count + 64 * 10 + 10


def resnet18_count(stem_size: int, classes: int) -> int:
    count = convolution_and_norm(3, 64, stem_size) + 4 * convolution_and_norm(64, 64, 3)
    for outputs in (128, 256, 512):
        inputs = outputs // 2
        count += convolution_and_norm(inputs, outputs, 3) + 3 * convolution_and_norm(outputs, outputs, 3)
        count += convolution_and_norm(inputs, outputs, 1)
    return count + 512 * classes + classes


def resnet50_count(stem_size: int, classes: int) -> int:
    count, inputs = convolution_and_norm(3, 64, stem_size), 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        outputs = 4 * width
        count += convolution_and_norm(inputs, width, 1) + (blocks - 1) * convolution_and_norm(outputs, width, 1)
        count += blocks * (convolution_and_norm(width, width, 3) + convolution_and_norm(width, outputs, 1))
        count += convolution_and_norm(inputs, outputs, 1)
        inputs = outputs
    return count + 2048 * classes + classes


def test_parameter_counts_are_those_of_the_papers() -> None:
    counts = {3: 269_722, 5: 464_154, 9: 853_018, 18: 1_727_962, 1: 75_290, 2: 172_506}
    for blocks, count in counts.items():
        name = cast(NetworkName, f"resnet{6 * blocks + 2}")
        assert parameter_count(build(name)) == cifar_resnet_count(blocks) == count
    assert parameter_count(build("resnet18")) == resnet18_count(3, 10) == 11_173_962
    assert parameter_count(build("resnet50")) == resnet50_count(3, 10) == 23_520_842
    shape = (3, 64, 64)
    assert parameter_count(build("resnet18", image_shape=shape, classes=1000)) == resnet18_count(7, 1000) == 11_689_512
    assert parameter_count(build("resnet50", image_shape=shape, classes=1000)) == resnet50_count(7, 1000) == 25_557_032


@pytest.mark.parametrize(("side", "size"), [(63, 63), (64, 16)])
@pytest.mark.parametrize(("name", "block"), [("resnet18", BasicBlock), ("resnet50", BottleneckBlock)])
def test_the_stem_is_that_for_imagenet_from_64_pixels(
    name: NetworkName, block: type[nn.Module], side: int, size: int
) -> None:
    network = build(name, image_shape=(1, side, side + 9))
    seen: list[torch.Size] = []
    first = next(module for module in network.modules() if isinstance(module, block))
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    with torch.no_grad():
        network(images(1, (1, side, side + 9)))
    assert seen[0][1:3] == (64, size)


def test_resnet50_has_the_layout_of_the_paper() -> None:
    network = build("resnet50", image_shape=(3, 64, 64))
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, BottleneckBlock):
            module.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape[1:3])))
    with torch.no_grad():
        network(images(2, (3, 64, 64)))
    assert seen == [(256, 16)] * 3 + [(512, 8)] * 4 + [(1024, 4)] * 6 + [(2048, 2)] * 3
    convolutions = [module for module in network.modules() if isinstance(module, Conv2d)]
    assert len(convolutions) + 1 == 50 + 4  # and a projection of each width


def test_padded_shortcut_takes_every_second_pixel_and_adds_zero_channels() -> None:
    features = images(2, (3, 5, 4))
    out = PaddedShortcut(2, stride=2)(features)
    assert out.shape == (2, 5, 3, 2)
    assert torch.equal(out[:, :3], features[:, :, 0::2, 0::2])
    assert not out[:, 3:].any()


@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (6, 2)])
@pytest.mark.parametrize("project", [False, True])
def test_basic_block_computes_its_definition(outputs: int, stride: int, project: bool) -> None:
    block = BasicBlock(3, outputs, stride, project=project).double()
    draw(block)
    features = images(2, (3, 5, 4)).double()
    hidden = normalise(convolve(features, block.conv1, stride), block.norm1).relu()
    shortcut = features
    if stride == 2 and isinstance(block.shortcut, nn.Sequential):
        convolution, norm = block.shortcut
        assert isinstance(convolution, Conv2d) and isinstance(norm, nn.BatchNorm2d)
        shortcut = normalise(convolve(features, convolution, 2), norm)
    elif stride == 2:
        shortcut = torch.cat([features[:, :, ::2, ::2], torch.zeros(2, 3, 3, 2)], dim=1)
    expected = (normalise(convolve(hidden, block.conv2), block.norm2) + shortcut).relu()
    torch.testing.assert_close(block(features), expected, rtol=1e-10, atol=1e-10)
    assert sum(isinstance(module, Conv2d) for module in block.modules()) == (3 if project and stride == 2 else 2)


@pytest.mark.parametrize(("inputs", "stride"), [(24, 1), (3, 1), (3, 2)])
def test_bottleneck_block_computes_its_definition(inputs: int, stride: int) -> None:
    block = BottleneckBlock(inputs, 6, stride).double()
    draw(block)
    features = images(2, (inputs, 5, 4)).double()
    hidden = normalise(convolve(features, block.conv1), block.norm1).relu()
    hidden = normalise(convolve(hidden, block.conv2, stride), block.norm2).relu()
    shortcut = features
    if inputs == 3:
        convolution, norm = block.shortcut.children()
        assert isinstance(convolution, Conv2d) and isinstance(norm, nn.BatchNorm2d)
        shortcut = normalise(convolve(features, convolution, stride), norm)
    expected = (normalise(convolve(hidden, block.conv3), block.norm3) + shortcut).relu()
    torch.testing.assert_close(block(features), expected, rtol=1e-10, atol=1e-10)
