"""The range coder, seen from both ends: what codes symbols is written once, for an encoder as for a decoder.

Every method takes the symbols to code, which the decoder does not have (None), and returns them. Probabilities are
whole numbers that add up to 2^24 with one added to each; constriction takes them as they are, so no rounding is left to
it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import constriction
import numpy as np
from numpy.typing import NDArray

PRECISION = 24
"""Probabilities are multiples of 2^-24."""

Symbols = NDArray[np.int32]
Table = Any
_models = constriction.stream.model
_ROWS, _UNIFORM = _models.Categorical(perfect=False), _models.Uniform()


class CodingError(ValueError):
    """The compressed bytes are not those of symbols of these probabilities."""


class RangeCoder(Protocol):
    """An end of the coder."""

    def table(self, table: Table, count: int, symbols: Symbols | None) -> Symbols:
        """`count` symbols that share the probabilities of a `coding_table`."""
        ...

    def rows(self, counts: NDArray[np.float32], symbols: Symbols | None) -> Symbols:
        """One symbol for each row of counts [n, S]: the probabilities times 2^24, less one; they add up to 2^24 - S."""
        ...

    def uniform(self, sizes: NDArray[np.int32], symbols: Symbols | None) -> Symbols:
        """One symbol for each size from 2 to 2^24: any from 0 to the size less one, all alike."""
        ...


class RangeEncoder:
    """The end that has the symbols; `content()` is what it made of them."""

    def __init__(self) -> None:
        self._encoder = constriction.stream.queue.RangeEncoder()

    def table(self, table: Table, count: int, symbols: Symbols | None) -> Symbols:
        assert symbols is not None and len(symbols) == count
        return self._encode(symbols, table)

    def rows(self, counts: NDArray[np.float32], symbols: Symbols | None) -> Symbols:
        return self._encode(symbols, _ROWS, counts)

    def uniform(self, sizes: NDArray[np.int32], symbols: Symbols | None) -> Symbols:
        return self._encode(symbols, _UNIFORM, sizes)

    def content(self) -> bytes:
        """The compressed bytes, a multiple of four."""
        return bytes(self._encoder.get_compressed().astype("<u4").tobytes())

    def _encode(self, symbols: Symbols | None, model: Any, *parameters: NDArray[Any]) -> Symbols:
        assert symbols is not None
        with _coding_errors():
            self._encoder.encode(symbols, model, *parameters)
        return symbols


class RangeDecoder:
    """The end that has the bytes; its methods raise CodingError where these cannot be of such symbols."""

    def __init__(self, content: bytes) -> None:
        if len(content) % 4:
            raise CodingError(f"{len(content)} compressed bytes are no multiple of four")
        with _coding_errors():
            self._decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(content, "<u4").astype(np.uint32))

    def table(self, table: Table, count: int, symbols: Symbols | None) -> Symbols:
        return self._decode(table, count)

    def rows(self, counts: NDArray[np.float32], symbols: Symbols | None) -> Symbols:
        return self._decode(_ROWS, counts)

    def uniform(self, sizes: NDArray[np.int32], symbols: Symbols | None) -> Symbols:
        return self._decode(_UNIFORM, sizes)

    def _decode(self, model: Any, parameter: Any) -> Symbols:
        with _coding_errors():
            symbols: Symbols = self._decoder.decode(model, parameter)
        return symbols


def coding_table(counts: NDArray[np.int32]) -> Table:
    """Probabilities counts / 2^24, each count at least 1, as a table for many symbols."""
    return _models.Categorical((counts - 1).astype(np.float32), perfect=False)


@contextmanager
def _coding_errors() -> Iterator[None]:
    """Turns all that constriction raises into CodingError; its panics are no `Exception`."""
    try:
        yield
    except (AssertionError, KeyError, ValueError) as error:
        raise CodingError(str(error)) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise CodingError(str(error)) from error
