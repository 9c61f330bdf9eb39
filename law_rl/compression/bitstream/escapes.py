"""Integers that no table has: their number of digits and the digits, all alike probable (Elias' gamma code)."""

import numpy as np

from law_rl.compression.bitstream.range_coder import CodingError, RangeCoder, Symbols

LARGEST = 1 << 20
"""The largest magnitude; larger latents are cut to it before they are coded."""

_DIGITS = 22


def code_escapes(coder: RangeCoder, count: int, values: Symbols | None) -> Symbols:
    """Codes `count` integers of magnitudes up to LARGEST; CodingError for larger ones in a file."""
    if count == 0:
        return np.zeros(0, np.int32)
    numbers = None if values is None else np.where(values >= 0, 2 * values, -2 * values - 1) + 1
    digits = None if numbers is None else (np.frexp(numbers)[1] - 1).astype(np.int32)
    digits = coder.uniform(np.full(count, _DIGITS, np.int32), digits)
    rest = np.zeros(count, np.int32)
    some = digits > 0
    if some.any():
        sizes = np.left_shift(1, digits[some], dtype=np.int32)
        rest[some] = coder.uniform(sizes, None if numbers is None else numbers[some] - sizes)
    numbers = np.left_shift(1, digits, dtype=np.int32) + rest - 1
    values = np.where(numbers % 2 == 0, numbers // 2, -(numbers + 1) // 2).astype(np.int32)
    if np.abs(values).max() > LARGEST:
        raise CodingError("a latent is larger than any encoder writes")
    return values
