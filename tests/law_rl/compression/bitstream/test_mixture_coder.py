"""Latents of mixtures: any come back, at the cost of their float64 probabilities."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from law_rl.compression.bitstream import mixture_coder
from law_rl.compression.bitstream.escapes import LARGEST
from law_rl.compression.bitstream.hyper_parameters import IntegerParameters
from law_rl.compression.bitstream.mixture_coder import MixtureCoder
from law_rl.compression.bitstream.range_coder import CodingError, RangeDecoder, RangeEncoder, Symbols
from law_rl.counters import numpy_generator
from tests.law_rl.compression.bitstream.models import ideal_bytes
from tests.law_rl.compression.bitstream.test_mixtures import SCALES, TABLES, drawn_parameters, weights

CODER = MixtureCoder(TABLES)


def encoded(parameters: IntegerParameters, symbols: Symbols) -> bytes:
    encoder = RangeEncoder()
    assert (CODER.code(encoder, parameters, symbols) == symbols).all()
    return encoder.content()


def drawn_symbols(parameters: IntegerParameters, seed: int = 0) -> Symbols:
    generator, count = numpy_generator(seed, "latents"), parameters.levels.shape[1]
    component = (generator.random(count) > np.cumsum(weights(parameters), 0)[:-1]).sum(0)
    place = (component, np.arange(count))
    deviations = generator.normal(size=count) * SCALES[parameters.levels[place]]
    return np.rint(parameters.means[place] / 16 + deviations).astype(np.int32)


@given(
    symbols=st.lists(st.integers(-9, 9) | st.integers(-LARGEST, LARGEST), min_size=1, max_size=50),
    seed=st.integers(0, 999),
    components=st.integers(1, 4),
    far=st.sampled_from([0, 30, 5000]),
)
@settings(max_examples=60, deadline=None)
def test_any_symbols_come_back(symbols: list[int], seed: int, components: int, far: int) -> None:
    given_ = np.array(symbols, np.int32)
    parameters = drawn_parameters(len(given_), components, seed=seed, far=far)
    content = encoded(parameters, given_)
    assert (CODER.code(RangeDecoder(content), parameters, None) == given_).all()


@pytest.mark.parametrize(("highest", "far"), [(20, 10), (63, 40), (30, 400)])
def test_the_size_is_that_of_the_probabilities(highest: int, far: int) -> None:
    drawn = drawn_parameters(20_000, far=far)
    parameters = dataclasses.replace(drawn, levels=(drawn.levels % (highest + 1)).astype(np.uint8))
    symbols = drawn_symbols(parameters)
    distances, scales = np.abs(symbols - parameters.means / 16), SCALES[parameters.levels]
    bins = norm.sf((distances - 0.5) / scales) - norm.sf((distances + 0.5) / scales)
    ideal = ideal_bytes((weights(parameters) * bins).sum(0))
    assert len(encoded(parameters, symbols)) == pytest.approx(ideal, rel=1e-3, abs=8)


def test_slices_cost_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = drawn_parameters(1000)
    symbols = drawn_symbols(parameters)
    whole = encoded(parameters, symbols)
    monkeypatch.setattr(mixture_coder, "_SLICE", 128)
    parts = encoded(parameters, symbols)
    assert len(parts) == pytest.approx(len(whole), abs=8)
    assert (CODER.code(RangeDecoder(parts), parameters, None) == symbols).all()


def test_foreign_bytes_end() -> None:
    """They give symbols or an error of ours, never an endless search."""
    parameters, generator = drawn_parameters(64), numpy_generator(0, "foreign")
    for content in (b"", b"\xff" * 256, *(generator.bytes(4 * size) for size in range(40))):
        try:
            symbols = CODER.code(RangeDecoder(content), parameters, None)
        except CodingError:
            continue
        assert len(symbols) == 64


def test_a_latent_without_end_is_refused() -> None:
    class Farther:
        def rows(self, counts: np.ndarray, _: object) -> Symbols:
            return np.full(len(counts), counts.shape[1] - 1, np.int32)

    with pytest.raises(CodingError, match="larger"):
        CODER.code(Farther(), drawn_parameters(3), None)  # type: ignore[arg-type]
