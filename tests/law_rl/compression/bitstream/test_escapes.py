"""Integers outside of all tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.compression.bitstream.escapes import LARGEST, code_escapes
from law_rl.compression.bitstream.range_coder import CodingError, RangeDecoder, RangeEncoder


@given(values=st.lists(st.integers(-LARGEST, LARGEST) | st.integers(-3, 3), max_size=40))
@settings(max_examples=60, deadline=None)
def test_they_come_back(values: list[int]) -> None:
    given_ = np.array(values, np.int32)
    encoder = RangeEncoder()
    assert (code_escapes(encoder, len(given_), given_) == given_).all()
    assert (code_escapes(RangeDecoder(encoder.content()), len(given_), None) == given_).all()


def test_small_ones_are_cheap() -> None:
    encoder = RangeEncoder()
    code_escapes(encoder, 1000, np.tile(np.array([3, -4], np.int32), 500))
    assert len(encoder.content()) <= 1000 * (4.46 + 3) / 8 + 8


def test_larger_ones_than_any_encoder_writes_are_refused() -> None:
    encoder = RangeEncoder()
    encoder.uniform(np.array([22], np.int32), np.array([21], np.int32))
    encoder.uniform(np.array([1 << 21], np.int32), np.array([(1 << 21) - 1], np.int32))
    with pytest.raises(CodingError, match="larger"):
        code_escapes(RangeDecoder(encoder.content()), 1, None)
