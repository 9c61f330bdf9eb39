import pytest
import torch

from law_rl.classification.networks import CounterDropout, NetworkConfig, build_network, seed_dropout
from law_rl.classification.networks.wide_resnet import PreActivationBlock
from tests.law_rl.classification.networks.oracles import convolve, draw, images, normalise, parameter_count


def wrn28_10_count() -> int:
    count = 3 * 16 * 9
    for inputs, outputs in ((16, 160), (160, 320), (320, 640)):
        norms = 2 * inputs + 7 * 2 * outputs
        count += norms + inputs * outputs * 9 + 7 * outputs * outputs * 9 + inputs * outputs
    return count + 2 * 640 + 640 * 10 + 10


def test_wide_resnet_has_the_papers_count_and_runs_on_tiny_images_with_dropout() -> None:
    config = NetworkConfig(name="wrn28_10", dropout=0.3)
    network = build_network(config, image_shape=(3, 8, 8), classes=10, seed=0)
    assert parameter_count(network) == wrn28_10_count() == 36_479_194
    seed_dropout(network, 0, 0, 0)
    assert sum(isinstance(module, CounterDropout) for module in network.modules()) == 12
    with torch.no_grad():
        logits = network(images(2, (3, 8, 8)))
    assert logits.shape == (2, 10) and logits.isfinite().all()


@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (6, 1), (6, 2)])
def test_pre_activation_block_computes_its_definition(outputs: int, stride: int) -> None:
    block = PreActivationBlock(3, outputs, stride, dropout=0.0).double()
    draw(block)
    features = images(2, (3, 5, 4)).double()
    active = normalise(features, block.norm1).relu()
    hidden = normalise(convolve(active, block.conv1, stride), block.norm2).relu()
    shortcut = features if block.shortcut is None else convolve(active, block.shortcut, stride)
    torch.testing.assert_close(block(features), convolve(hidden, block.conv2) + shortcut, rtol=1e-10, atol=1e-10)
    assert (block.shortcut is None) == (outputs == 3)
