"""Flow: Lucas-Kanade against its normal equations, motion that is found, and a network that starts with it."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from law_rl.compression.video.network.compensation import Warp
from law_rl.compression.video.network.flow import FLATTEST, WINDOW, FlowConfig, FlowNetwork, lucas_kanade

SMALL = FlowConfig(channels=(4,), levels=3, finest=2)


def waves(height: int, width: int, right: float = 0.0, down: float = 0.0) -> Tensor:
    """A smooth picture [1, 3, H, W] in 0..1, seen `right` and `down` pixels further on."""
    xs, ys = torch.arange(width) + right, (torch.arange(height) + down)[:, None]
    planes = [
        0.5 + 0.2 * torch.sin(xs / a) * torch.cos(ys / b) + 0.2 * torch.sin((xs + ys) / c)
        for a, b, c in ((5, 6, 9), (7, 5, 8), (6, 9, 7))
    ]
    return torch.stack(planes)[None]


def test_lucas_kanade_solves_the_normal_equations() -> None:
    frame, reference = waves(16, 20, 0.3, -0.2), waves(16, 20)
    flow = lucas_kanade(frame, reference)
    around = 0.5 * (frame + reference)[0].double()
    change = (frame - reference)[0].double()
    row, column, half = 8, 11, WINDOW // 2
    matrix = FLATTEST * torch.eye(2, dtype=torch.float64)
    vector = torch.zeros(2, dtype=torch.float64)
    for y in range(row - half, row + half + 1):
        for x in range(column - half, column + half + 1):
            for c in range(3):
                gradient = 0.5 * torch.stack(
                    [around[c, y, x + 1] - around[c, y, x - 1], around[c, y + 1, x] - around[c, y - 1, x]]
                )
                matrix += torch.outer(gradient, gradient) / WINDOW**2
                vector += gradient * change[c, y, x] / WINDOW**2
    expected = torch.linalg.solve(matrix, vector).tanh()
    torch.testing.assert_close(flow[0, :, row, column].double(), expected, rtol=1e-3, atol=1e-4)


def test_a_small_shift_is_found_in_its_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("law_rl.compression.video.network.flow.FLATTEST", 1e-6)
    flow = lucas_kanade(waves(32, 32, 0.4, -0.3), waves(32, 32))[0, :, 8:-8, 8:-8]
    assert flow[0].mean().item() == pytest.approx(0.4, abs=0.06)
    assert flow[1].mean().item() == pytest.approx(-0.3, abs=0.06)


def test_flat_pictures_do_not_move() -> None:
    assert lucas_kanade(torch.full((1, 3, 8, 8), 0.7), torch.full((1, 3, 8, 8), 0.2)).abs().max() == 0


def test_an_untrained_network_finds_a_shift_of_pixels() -> None:
    frame, reference = waves(64, 64, 2.5, -1.5), waves(64, 64)
    flow = FlowNetwork(SMALL)(frame, reference)
    assert flow.shape == (1, 2, 64, 64)
    inside = flow[0, :, 12:-12, 12:-12].mean((1, 2))
    assert inside[0].item() == pytest.approx(2.5, abs=0.4)
    assert inside[1].item() == pytest.approx(-1.5, abs=0.4)
    error = (Warp()(reference, flow) - frame)[:, :, 8:-8, 8:-8].square().mean()
    assert error < 0.05 * (reference - frame)[:, :, 8:-8, 8:-8].square().mean()


def test_in_evaluation_the_flow_is_polished_at_full_resolution() -> None:
    network, frame, reference = FlowNetwork(SMALL), waves(64, 64, 2.5, -1.5), waves(64, 64)
    rough, fine = network(frame, reference), network.eval()(frame, reference)
    rest = [(Warp()(reference, flow) - frame)[:, :, 8:-8, 8:-8].square().mean().item() for flow in (rough, fine)]
    assert rest[1] < 0.5 * rest[0]


def test_levels_are_in_their_own_pixels() -> None:
    flows = FlowNetwork(SMALL).pyramid(waves(64, 64, 2.0, 0.0), waves(64, 64))
    assert [tuple(flow.shape) for flow in flows] == [(1, 2, 8, 8), (1, 2, 16, 16), (1, 2, 32, 32)]
    assert flows[-1][0, 0, 8:-8, 8:-8].mean().item() == pytest.approx(1.0, abs=0.25)


def test_every_layer_learns() -> None:
    torch.manual_seed(0)
    network = FlowNetwork(SMALL)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    flow = network(waves(64, 64, 1.0), waves(64, 64))
    functional.mse_loss(flow, torch.ones_like(flow)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"channels": ()}, "channels is"),
        ({"channels": (4, 0)}, "channels is"),
        ({"kernel": 4}, "kernel is 4"),
        ({"finest": 3}, "finest is 3"),
        ({"levels": 0}, "levels is 0"),
        ({"levels": 7, "finest": 1}, "levels is 7"),
    ],
)
def test_bad_sizes_are_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FlowConfig(**values)  # type: ignore[arg-type]
