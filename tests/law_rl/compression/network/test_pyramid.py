"""The pyramid: layers that lose nothing where they have the room, channels uncorrelated and sorted."""

import torch

from law_rl.compression.network.pyramid import PHOTOGRAPHS, _covariance, _quadrants, pyramid


def basis(layers: list[torch.Tensor]) -> torch.Tensor:
    features = torch.eye(3, dtype=torch.float64).view(3, 3, 1, 1)
    for matrix in layers:
        features = torch.einsum("oi,icyx->ocyx", matrix, _quadrants(features))
    return features


def test_channels_are_orthonormal_uncorrelated_and_sorted() -> None:
    start = pyramid(64, 96, 0)
    channels = basis(start.layers)
    flat = channels.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(96, dtype=torch.float64))
    covariance = _covariance(channels, PHOTOGRAPHS)
    torch.testing.assert_close(covariance.diagonal().sqrt(), start.spreads)
    assert (covariance - covariance.diagonal().diag()).abs().max() < 1e-9
    assert (start.spreads.diff() <= 1e-9).all()


def test_first_channel_is_about_the_mean() -> None:
    first = basis(pyramid(64, 96, 0).layers)[0]
    assert first.sum().abs().item() / first.numel() ** 0.5 > 0.99


def test_more_channels_than_a_block_has_values_lose_nothing() -> None:
    first = pyramid(64, 96, 0).layers[0]
    torch.testing.assert_close(first.T @ first, torch.eye(12, dtype=torch.float64))
    assert first.abs().sum(1).min() > 0.1  # every channel has its share


def test_narrow_layers_keep_what_they_can() -> None:
    start = pyramid(8, 96, 0)
    assert [tuple(layer.shape) for layer in start.layers] == [(8, 12), (8, 32), (8, 32), (96, 32)]
    assert (start.spreads[32:] == 0).all()


def test_the_seed_turns_the_layers_and_nothing_else() -> None:
    one, two, again = pyramid(16, 24, 1), pyramid(16, 24, 2), pyramid(16, 24, 1)
    assert all(torch.equal(a, b) for a, b in zip(one.layers, again.layers, strict=True))
    assert not torch.allclose(one.layers[0], two.layers[0])
    torch.testing.assert_close(one.spreads, two.spreads)
