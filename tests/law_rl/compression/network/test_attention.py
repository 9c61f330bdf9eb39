"""Channel attention: one gate a channel, from the means alone."""

import torch
from torch import Tensor, nn

from law_rl.compression.network.attention import ChannelAttention
from law_rl.compression.network.layers import Conv2d
from law_rl.counters import torch_generator


def attention(channels: int) -> ChannelAttention:
    module = ChannelAttention(channels)
    for index, layer in enumerate(part for part in module.modules() if isinstance(part, Conv2d)):
        nn.init.normal_(layer.weight, generator=torch_generator(0, "attention test", index))
    return module


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_generator(1, "attention test", *shape))


def test_gates_depend_on_the_means_alone() -> None:
    module, latents = attention(32), drawn(2, 32, 4, 5)
    moved = latents.flatten(2)[:, :, torch.arange(20).flip(0)].view_as(latents)
    gates = module(latents) / latents
    torch.testing.assert_close(gates, gates[:, :, :1, :1].expand_as(gates), rtol=1e-4, atol=0)
    torch.testing.assert_close((module(moved) / moved)[:, :, 0, 0], gates[:, :, 0, 0], rtol=1e-4, atol=0)
    assert ((gates > 0) & (gates < 1)).all()
    assert gates.std(1).min() > 0.01


def test_images_of_a_batch_do_not_mix() -> None:
    module, latents = attention(32), drawn(3, 32, 4, 4)
    torch.testing.assert_close(module(latents)[1:2], module(latents[1:2]))


def test_hidden_units_are_a_sixteenth_and_at_least_one() -> None:
    assert sum(part.numel() for part in ChannelAttention(32).parameters()) == 2 * 32 * 2 + 32 + 2
    assert sum(part.numel() for part in ChannelAttention(8).parameters()) == 2 * 8 + 8 + 1
