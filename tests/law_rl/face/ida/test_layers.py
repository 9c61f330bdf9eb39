"""The start of IDA's networks: variances that pass through, drawn by counters."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from law_rl.classification.networks.layers import Linear
from law_rl.counters import torch_generator
from law_rl.face.ida.layers import SLOPE, Doubling, Halving, draw_weights


def drawn(layer: nn.Module, seed: int = 0) -> nn.Module:
    draw_weights(layer, seed, "test")
    return layer


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(Linear(64, 512), (256, 64)), (Halving(16, 64), (16, 16, 16, 16)), (Doubling(64, 16), (16, 64, 16, 16))],
)
def test_a_rectified_map_keeps_its_mean_square(layer: nn.Module, shape: tuple[int, ...]) -> None:
    features = torch.randn(shape, generator=torch_generator(0, "features"))
    result = functional.leaky_relu(drawn(layer)(features), SLOPE)
    inner = result[..., 2:-2, 2:-2] if result.ndim == 4 else result
    assert inner.square().mean().item() == pytest.approx(1, rel=0.1)


def test_maps_are_halved_and_doubled() -> None:
    assert drawn(Halving(1, 3))(torch.zeros(2, 1, 12, 12)).shape == (2, 3, 6, 6)
    assert drawn(Doubling(3, 1))(torch.zeros(2, 3, 6, 6)).shape == (2, 1, 12, 12)


def test_layers_differ_and_come_from_their_counters_alone() -> None:
    state = torch.get_rng_state()
    network = drawn(nn.Sequential(Linear(4, 4), Linear(4, 4)))
    again, other = drawn(nn.Sequential(Linear(4, 4), Linear(4, 4))), drawn(nn.Sequential(Linear(4, 4)), seed=1)
    assert torch.equal(state, torch.get_rng_state())
    first, second = (layer.weight for layer in network.children())
    assert not torch.equal(first, second)
    assert not torch.equal(first, next(other.parameters()))
    assert all(map(torch.equal, network.parameters(), again.parameters()))
    assert not any(layer.bias.any() for layer in network.children())
