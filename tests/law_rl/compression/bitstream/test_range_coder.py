"""The range coder: what one end writes the other reads, at the cost of the whole-number probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.compression.bitstream.range_coder import CodingError, RangeDecoder, RangeEncoder, coding_table
from law_rl.counters import numpy_generator
from tests.law_rl.compression.bitstream.models import drawn_counts, ideal_bytes


@given(seed=st.integers(0, 999), symbols=st.integers(2, 300), count=st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_a_table_and_equal_rows_give_the_same_bytes_and_come_back(seed: int, symbols: int, count: int) -> None:
    counts = drawn_counts(seed, symbols)
    drawn = numpy_generator(seed, "symbols").integers(0, symbols, count).astype(np.int32)
    rows = np.tile((counts - 1).astype(np.float32), (count, 1))
    by_table, by_rows = RangeEncoder(), RangeEncoder()
    by_table.table(coding_table(counts), count, drawn)
    by_rows.rows(rows, drawn)
    assert by_table.content() == by_rows.content()
    assert (RangeDecoder(by_table.content()).rows(rows, None) == drawn).all()
    assert (RangeDecoder(by_rows.content()).table(coding_table(counts), count, None) == drawn).all()


def test_symbols_cost_what_their_counts_say() -> None:
    counts = drawn_counts(3, 40)
    drawn = numpy_generator(0, "cost").choice(40, 50_000, p=counts / counts.sum()).astype(np.int32)
    encoder = RangeEncoder()
    encoder.table(coding_table(counts), len(drawn), drawn)
    ideal = ideal_bytes(counts[drawn] / 2**24)
    assert ideal - 4 <= len(encoder.content()) <= 1.0001 * ideal + 8


def test_uniform_symbols_come_back() -> None:
    sizes = np.array([2, 3, 1 << 10, 1 << 24], np.int32)
    encoder = RangeEncoder()
    encoder.uniform(sizes, sizes - 1)
    assert (RangeDecoder(encoder.content()).uniform(sizes, None) == sizes - 1).all()


def test_bytes_that_cannot_be_words_are_refused() -> None:
    with pytest.raises(CodingError, match="multiple of four"):
        RangeDecoder(b"abc")


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [np.nan, 1.0, 1.0], [np.inf, 1.0, 1.0]])
def test_probabilities_that_are_none_are_an_error_of_ours(row: list[float]) -> None:
    with pytest.raises(CodingError):
        RangeDecoder(b"\0" * 8).rows(np.array([row], np.float32), None)
    with pytest.raises(CodingError):
        RangeEncoder().rows(np.array([row], np.float32), np.zeros(1, np.int32))


def test_a_symbol_outside_of_its_table_is_an_error_of_ours() -> None:
    with pytest.raises(CodingError):
        RangeEncoder().table(coding_table(drawn_counts(0, 5)), 1, np.array([5], np.int32))


def test_a_panic_of_the_library_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """Named as pyo3 names it."""

    class Panicking:
        def decode(self, *_: object) -> None:
            raise PanicException("called `Option::unwrap()` on a `None` value")

    decoder = RangeDecoder(b"\0" * 8)
    monkeypatch.setattr(decoder, "_decoder", Panicking())
    with pytest.raises(CodingError, match="unwrap"):
        decoder.uniform(np.array([4], np.int32), None)


def test_an_interrupt_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def decode(self, *_: object) -> None:
            raise KeyboardInterrupt

    decoder = RangeDecoder(b"\0" * 8)
    monkeypatch.setattr(decoder, "_decoder", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        decoder.uniform(np.array([4], np.int32), None)
