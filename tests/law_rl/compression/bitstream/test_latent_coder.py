"""Hyper-latents and latents to bytes and back."""

import numpy as np
import pytest
import torch

from law_rl.compression.bitstream import hyper_parameters
from law_rl.compression.bitstream.escapes import LARGEST
from law_rl.compression.bitstream.latent_coder import LatentCoder
from law_rl.compression.bitstream.range_coder import CodingError
from law_rl.compression.network.mixture import quantise
from law_rl.counters import numpy_generator
from tests.law_rl.compression.bitstream.models import LATENTS, WIDTH, tiny_model


def coder(components: int = 1) -> LatentCoder:
    model = tiny_model(components)
    return LatentCoder(model.network().hyper_decoder, components, model.tables)


def drawn(shape: tuple[int, ...], spread: float, purpose: str) -> np.ndarray:
    return numpy_generator(0, purpose).normal(0, spread, shape).astype(np.float32)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
@pytest.mark.parametrize("spread", [1, 50, 1e9])
def test_all_come_back(components: int, size: tuple[int, int], spread: float) -> None:
    codec = coder(components)
    z, y = drawn((WIDTH, *size), spread, "z"), drawn((LATENTS, 4 * size[0], 4 * size[1]), spread, "y")
    first, hyper_symbols = codec.encode_hyper_latents(z)
    parameters = codec.parameters(hyper_symbols)
    second, symbols = codec.encode_latents(y, parameters)
    other = coder(components)
    again = other.decode_hyper_latents(first, hyper_symbols.shape)
    assert (again == hyper_symbols).all() and np.abs(again).max() <= hyper_parameters.LARGEST_HYPER_LATENT
    found = other.decode_latents(second, other.parameters(again))
    assert (found == symbols).all() and np.abs(found).max() <= LARGEST
    if spread < 1e6:
        assert np.abs(codec.quantised(symbols, parameters) - y.reshape(-1)).max() <= 0.5


@pytest.mark.parametrize("components", [1, 3])
def test_latents_are_quantised_as_the_network_does(components: int) -> None:
    codec, model = coder(components), tiny_model(components)
    z, y = drawn((WIDTH, 2, 2), 3, "z"), drawn((LATENTS, 8, 8), 3, "y")
    _, hyper_symbols = codec.encode_hyper_latents(z)
    parameters = codec.parameters(hyper_symbols)
    _, symbols = codec.encode_latents(y, parameters)
    raw = model.network().raw(torch.from_numpy(hyper_symbols)[None].float())
    expected = quantise(torch.from_numpy(y)[None], raw, components).reshape(-1).numpy()
    differences = np.abs(codec.quantised(symbols, parameters) - expected)
    assert np.median(differences) < 1e-6 and (differences > 1e-6).mean() < 0.02  # float means at a half sixteenth


def test_latents_that_are_not_finite_are_refused() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not finite"):
            coder().encode_hyper_latents(np.full((WIDTH, 1, 1), value, np.float32))


def test_hyper_latents_beyond_the_bound_of_exact_sums_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("law_rl.compression.bitstream.prior_coder.LARGEST_HYPER_LATENT", 2000)
    content, symbols = coder().encode_hyper_latents(np.full((WIDTH, 1, 1), 1500, np.float32))
    monkeypatch.undo()
    with pytest.raises(CodingError, match="larger"):
        coder().decode_hyper_latents(content, symbols.shape)
