"""The hyper-decoder's parameters: exact whatever computes them, near the float network's, else refused."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from law_rl.compression.bitstream.hyper_parameters import FixedPointDecoder, IntegerParameters
from law_rl.compression.network.hyper import HyperDecoder
from law_rl.compression.network.mixture import on_grid
from law_rl.counters import numpy_generator, torch_generator
from tests.law_rl.compression.bitstream.integers import convolved
from tests.law_rl.compression.bitstream.models import LATENTS, SETTINGS, WIDTH, tiny_network, torch_setting


def drawn_decoder(width: int, latents: int, components: int, seed: int = 0) -> nn.Sequential:
    decoder = HyperDecoder(width, latents, components)
    generator = torch_generator(seed, "hyper-decoder")
    with torch.no_grad():
        for parameter in decoder.parameters():
            fan = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan**0.5)
        decoder[-1].bias[: components * latents] += 15
        for parameter in decoder.parameters():
            parameter.copy_(parameter.half().float())
    return decoder


def symbols(width: int, height: int = 3, across: int = 2, reach: int = 20) -> NDArray[np.int32]:
    return numpy_generator(0, "z").integers(-reach, reach + 1, (width, height, across)).astype(np.int32)


def same(one: IntegerParameters, other: IntegerParameters) -> bool:
    pairs = ((one.levels, other.levels), (one.means, other.means), (one.logits, other.logits))
    return all(np.array_equal(a, b) for a, b in pairs)


def test_it_is_the_arithmetic_of_integers() -> None:
    decoder, z = drawn_decoder(3, 2, 3), symbols(3)
    values = z.astype(object) * 2**12
    for layer, following in zip(decoder, [*list(decoder)[1:], None], strict=True):
        if not isinstance(layer, nn.ReLU):
            low = 0 if isinstance(following, nn.ReLU) else -(2**22)
            values = np.clip((convolved(layer, values) + 2**15) // 2**16, low, 2**22)
    found = FixedPointDecoder(decoder, 3)(z)
    groups = values.reshape(3, 3, -1)
    assert (found.levels == np.clip((groups[0] + 2**11) // 2**12, 0, 63)).all()
    assert (found.means == (16 * groups[1] + 2**11) // 2**12).all()
    assert (found.logits == (16 * groups[2] + 2**11) // 2**12).all()


@pytest.mark.parametrize("components", [1, 3])
def test_it_is_near_the_float_network(components: int) -> None:
    decoder, z = drawn_decoder(16, 8, components), symbols(16, 4, 5)
    with torch.no_grad():
        raw = on_grid(decoder(torch.from_numpy(z)[None].float()), components)[0]
    groups = raw.reshape(-1, components, raw[0].numel() * 8).numpy()
    found = FixedPointDecoder(decoder, components)(z)
    assert found.levels.shape == (components, 8 * 16 * 20) and found.levels.dtype == np.uint8
    assert len(np.unique(found.levels)) > 5
    for own, floats in ((found.levels, groups[0]), (found.means, 16 * groups[1])):
        differences = np.abs(own.astype(np.float64) - floats)
        assert differences.max() <= 1 and (differences > 0).mean() < 0.03
    assert found.logits.any() == (components > 1)


@pytest.mark.parametrize(("threads", "onednn"), SETTINGS)
def test_threads_memory_formats_and_onednn_change_nothing(threads: int, onednn: bool) -> None:
    decoder, z = drawn_decoder(16, 24, 3), symbols(16, 3, 5, 300)
    expected = FixedPointDecoder(decoder, 3)(z)
    last = copy.deepcopy(decoder).to(memory_format=torch.channels_last)
    with torch_setting(threads, onednn=onednn):
        for network in (decoder, last):
            assert same(FixedPointDecoder(network, 3)(z), expected)


def test_a_lower_precision_around_it_changes_nothing() -> None:
    decoder, z = drawn_decoder(8, 4, 1), symbols(8)
    expected = FixedPointDecoder(decoder, 1)(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert same(FixedPointDecoder(decoder, 1)(z), expected)


def test_one_place_does_not_depend_on_those_far_from_it() -> None:
    decoder, z = drawn_decoder(8, 4, 1), symbols(8, 2, 12)
    whole = FixedPointDecoder(decoder, 1)(z).means.reshape(4, 8, 48)
    part = FixedPointDecoder(decoder, 1)(np.ascontiguousarray(z[:, :, :6])).means.reshape(4, 8, 24)
    assert (whole[:, :, :16] == part[:, :, :16]).all()


def test_extreme_symbols_stay_within_bounds() -> None:
    decoder = drawn_decoder(8, 4, 3)
    found = FixedPointDecoder(decoder, 3)(np.full((8, 2, 2), 1024, np.int32))
    assert np.abs(found.means).max() <= 1024 * 16 and found.levels.max() <= 63


def test_the_crc_sees_each_part() -> None:
    found = FixedPointDecoder(drawn_decoder(8, 4, 3), 3)(symbols(8))
    crcs = {found.crc()}
    for name in ("levels", "means", "logits"):
        parts = {"levels": found.levels, "means": found.means, "logits": found.logits}
        parts[name] = parts[name].copy()
        parts[name][0, 0] += 1
        crcs.add(IntegerParameters(**parts).crc())
    assert len(crcs) == 4


def spoil(change: Callable[[nn.Sequential], object]) -> nn.Sequential:
    decoder = tiny_network().hyper_decoder
    with torch.no_grad():
        change(decoder)
    return decoder


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        (lambda: spoil(lambda d: d[0].weight.fill_(torch.nan)), "not finite or too large"),
        (lambda: spoil(lambda d: d[0].weight.fill_(60000)), "not finite or too large"),
        (lambda: spoil(lambda d: d[-1].bias.fill_(torch.inf)), "not finite or too large"),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.LeakyReLU()), "has a LeakyReLU"),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 1, groups=2)), "in groups"),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")), "other padding"),
    ],
)
def test_what_might_not_be_exact_is_refused(decoder: Callable[[], nn.Sequential], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FixedPointDecoder(decoder(), 1)


def test_a_plain_network_without_bias_is_taken() -> None:
    decoder = nn.Sequential(nn.ConvTranspose2d(WIDTH, 2 * LATENTS, 4, 4, bias=False))
    assert FixedPointDecoder(decoder, 1)(symbols(WIDTH)).levels.shape == (1, LATENTS * 12 * 8)
