"""Symbols sorted by table: any come back, and cost what their tables say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.compression.bitstream.grouped_coder import GroupedCoder, SymbolTable
from law_rl.compression.bitstream.range_coder import RangeDecoder, RangeEncoder
from law_rl.counters import numpy_generator
from tests.law_rl.compression.bitstream.models import drawn_counts, ideal_bytes

TABLES = [SymbolTable(first=first, counts=drawn_counts(first + 9, 3 + abs(first))) for first in (-8, -1, 0, 5)]


@given(
    symbols=st.lists(st.integers(-12, 12) | st.integers(-(2**20), 2**20), min_size=1, max_size=80),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
@settings(max_examples=60, deadline=None)
def test_any_symbols_come_back(symbols: list[int], seed: int, dtype: type) -> None:
    given_ = np.array(symbols, np.int32)
    groups = numpy_generator(seed, "groups").integers(0, len(TABLES), len(given_)).astype(dtype)
    coder, encoder = GroupedCoder(TABLES), RangeEncoder()
    coder.code(encoder, groups, given_)
    assert (coder.code(RangeDecoder(encoder.content()), groups, None) == given_).all()


def test_the_size_is_that_of_the_tables() -> None:
    generator = numpy_generator(0, "size")
    groups = generator.integers(0, len(TABLES), 40_000).astype(np.uint8)
    places = np.empty(len(groups), np.int64)
    probabilities = np.empty(len(groups))
    for group, table in enumerate(TABLES):
        inner = table.counts[:-1].astype(np.float64)
        mine = groups == group
        places[mine] = generator.choice(len(inner), mine.sum(), p=inner / inner.sum())
        probabilities[mine] = inner[places[mine]] / 2**24
    symbols = (places + np.array([table.first for table in TABLES])[groups]).astype(np.int32)
    encoder = RangeEncoder()
    GroupedCoder(TABLES).code(encoder, groups, symbols)
    assert len(encoder.content()) == pytest.approx(ideal_bytes(probabilities), rel=1e-4, abs=8)
