import pytest
import torch

from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.classification.networks.layers import Conv2d
from tests.law_rl.classification.networks.oracles import convolution_and_norm, images, parameter_count


def body_count(channels: int, side: int, width: int, depth: int, embedding: int) -> int:
    """Of a last map of `side` x `side`."""
    count, inputs = 0, channels
    for outputs in (width, 2 * width, 4 * width):
        count += convolution_and_norm(inputs, outputs, 3) + 2 * (depth - 1) * convolution_and_norm(outputs, outputs, 3)
        inputs = outputs
    return count + 2 * inputs + side**2 * inputs * embedding + 2 * embedding


@pytest.mark.parametrize(
    ("channels", "side", "width", "depth", "embedding", "last"),
    [(1, 48, 16, 1, 0, 6), (3, 32, 8, 2, 24, 4), (2, 35, 4, 3, 0, 5)],
)
def test_it_has_the_stated_layers(channels: int, side: int, width: int, depth: int, embedding: int, last: int) -> None:
    shape = (channels, side, side)
    config = NetworkConfig(name="face_cnn", width=width, depth=depth, embedding=embedding)
    network = build_network(config, image_shape=shape, classes=4, seed=0).eval()
    assert network.width == (embedding or 64)
    assert parameter_count(network.body) == body_count(channels, last, width, depth, network.width)
    seen: list[int] = []
    for module in network.modules():
        if isinstance(module, Conv2d):
            module.register_forward_hook(lambda _, inputs, output: seen.append(output.shape[2]))
    with torch.no_grad():
        network(images(1, shape))
    half = -(-side // 2)
    assert seen == [stage for stage in (half, -(-half // 2), last) for _ in range(2 * depth - 1)]


def test_at_width_12_it_is_small_enough_for_a_cpu() -> None:
    assert body_count(1, 6, 12, 1, 64) == 124_052


def test_it_keeps_where_things_are() -> None:
    """A spot moved by whole strides gives another embedding, unlike under a global mean."""
    config = NetworkConfig(name="face_cnn", width=4)
    network = build_network(config, image_shape=(1, 96, 96), classes=4, seed=0).eval()
    spots = torch.zeros(2, 1, 96, 96)
    spots[0, :, 40:44, 40:44] = spots[1, :, 48:52, 48:52] = 1
    with torch.no_grad():
        first, second = network.embed(spots)
    assert (first - second).norm() > 0.1 * first.norm()
