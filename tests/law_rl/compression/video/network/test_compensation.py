"""Warping against a loop, and compensation that starts as nothing and can learn everywhere."""

import math

import pytest
import torch

from law_rl.compression.video.network.compensation import Compensation, Warp
from law_rl.compression.video.network.initialisation import set_compensation


def test_warping_is_bilinear_and_repeats_borders() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, 5, 6, generator=generator)
    flow = 8 * torch.rand(1, 2, 5, 6, generator=generator) - 4
    warped = Warp()(image, flow)
    for row in range(5):
        for column in range(6):
            x = min(max(column + flow[0, 0, row, column].item(), 0), 5)
            y = min(max(row + flow[0, 1, row, column].item(), 0), 4)
            left, top = min(math.floor(x), 4), min(math.floor(y), 3)
            across, along = x - left, y - top
            for channel in range(2):
                part = image[0, channel, top : top + 2, left : left + 2]
                upper = (1 - across) * part[0, 0] + across * part[0, 1]
                lower = (1 - across) * part[1, 0] + across * part[1, 1]
                expected = ((1 - along) * upper + along * lower).item()
                assert warped[0, channel, row, column].item() == pytest.approx(expected, abs=1e-5)


def test_no_flow_changes_nothing_also_under_autocast() -> None:
    image = torch.rand(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(Warp()(image, torch.zeros(2, 2, 8, 8)), image, rtol=0, atol=1e-6)


def test_compensation_starts_as_the_identity_and_every_layer_learns_soon() -> None:
    network = Compensation(4)
    set_compensation(network, 0)
    warped, reference, flow = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16), torch.randn(1, 2, 16, 16)
    assert torch.equal(network(warped, reference, flow), warped)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    network(warped, reference, flow).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_start_is_that_of_the_seed() -> None:
    networks = [Compensation(4) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        set_compensation(network, seed)
    one, again, other = ([p.detach() for p in network.parameters()] for network in networks)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
