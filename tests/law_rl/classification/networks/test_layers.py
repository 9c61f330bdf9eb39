import copy

import pytest
import torch
from torch import nn

from law_rl.classification.networks import CounterDropout, NetworkConfig, build_network, seed_dropout
from law_rl.classification.networks.layers import Classifier, Conv2d, GlobalAveragePool, Linear, initialise
from tests.law_rl.classification.networks.oracles import convolve, draw, images


def test_a_convolution_in_groups_joins_only_channels_of_one_group() -> None:
    layer = Conv2d(6, 9, 3, stride=2, groups=3).double()
    draw(layer)
    features = images(2, (6, 5, 4)).double()
    assert layer.weight.shape == (9, 2, 3, 3)
    torch.testing.assert_close(layer(features), convolve(features, layer, 2), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 4, 1024])
def test_a_convolution_starts_with_the_fan_out_of_one_group(groups: int) -> None:
    layer = Conv2d(1024, 1024, 3, groups=groups)
    initialise(Classifier((nn.Sequential(layer, GlobalAveragePool()), 1024), 2), seed=0)
    fan_out = 1024 // groups * 9
    assert layer.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.03)


def test_the_embedding_layer_starts_with_the_gain_of_a_linear_layer() -> None:
    body = nn.Sequential(nn.Flatten(), Linear(12, 400), nn.ReLU())
    network = Classifier((body, 400), 2, embedding=300)
    initialise(network, seed=0)
    assert isinstance(network.embedding, Linear) and network.embedding.bias.eq(0).all()
    assert network.embedding.weight.std().item() == pytest.approx(400**-0.5, rel=0.03)


def dropout_network() -> nn.Module:
    return build_network(NetworkConfig(width=64, dropout=0.25), image_shape=(1, 4, 4), classes=3, seed=0)


def test_equal_counters_give_equal_dropout_and_a_fork_goes_on_alike() -> None:
    first, second, batch = dropout_network(), dropout_network(), images(5, (1, 4, 4))
    seed_dropout(first, 1, 2, 3)
    seed_dropout(second, 1, 2, 3)
    torch.rand(9)
    assert torch.equal(first(batch), second(batch))
    fork = copy.deepcopy(first)
    assert torch.equal(first(batch), fork(batch))


@pytest.mark.parametrize("counters", [(0, 2, 3), (1, 0, 3), (1, 2, 0)])
def test_each_counter_changes_the_dropout(counters: tuple[int, int, int]) -> None:
    network, batch = dropout_network(), images(5, (1, 4, 4))
    seed_dropout(network, 1, 2, 3)
    reference = network(batch)
    seed_dropout(network, *counters)
    assert not torch.equal(network(batch), reference)


def test_dropout_layers_draw_apart() -> None:
    network = nn.Sequential(CounterDropout(0.5), CounterDropout(0.5), nn.Linear(1, 1))
    seed_dropout(network, 0, 0, 0)
    ones = torch.ones(64)
    assert not torch.equal(network[0](ones), network[1](ones))


def test_dropout_keeps_the_mean_and_is_the_identity_in_evaluation() -> None:
    network = nn.Sequential(CounterDropout(0.25), nn.Linear(1, 1))
    seed_dropout(network, 0, 0, 0)
    ones = torch.ones(100_000, dtype=torch.float64)
    dropped = network[0](ones)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(network.eval()[0](ones), ones)


def test_unseeded_dropout_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="seed_dropout"):
        dropout_network()(images(1, (1, 4, 4)))
