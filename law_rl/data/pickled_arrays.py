"""Stand-ins for what a pickle of numpy arrays names: inert, and enough to get the bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_KINDS = {"u1": np.uint8, "b1": np.bool_}


@dataclass(frozen=True)
class PickledType:
    """Stands for numpy.dtype; `code` is its short name, such as 'u1'."""

    code: str


@dataclass(eq=False)
class PickledArray:
    """Stands for numpy.ndarray: `values` are uint8 or bool, and share the memory of the pickled bytes."""

    values: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint8))

    def fill(self, state: tuple[object, object, PickledType, bool, bytes]) -> None:
        """Takes the state that numpy pickles: version, shape, type, whether in Fortran's order, and the bytes."""
        _, shape, kind, fortran, data = state
        self.values = _shaped(data, kind, shape, "F" if fortran else "C")


def _type(code: bytes | str = "", *_: object) -> PickledType:
    return PickledType(code.decode("latin1") if isinstance(code, bytes) else str(code))


def _array(*_: object) -> PickledArray:
    return PickledArray()


def _from_buffer(data: bytes, kind: PickledType, shape: object, order: object) -> PickledArray:
    return PickledArray(_shaped(data, kind, shape, order))


def _scalar(kind: PickledType, data: bytes) -> Any:
    return _shaped(data, kind, (), "C").item()


def _shaped(data: bytes, kind: PickledType, shape: object, order: object) -> np.ndarray:
    if not isinstance(kind, PickledType) or kind.code not in _KINDS:
        raise ValueError(f"it holds an array of type {getattr(kind, 'code', kind)!r} in place of 'u1' or 'b1'")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("it holds an array whose shape is no tuple of sizes")
    flat = np.frombuffer(data, dtype=np.uint8)
    return flat.reshape(shape, order="F" if order == "F" else "C").view(_KINDS[kind.code])


def _encoded(text: str, encoding: object = "latin1") -> bytes:
    """How Python 3 writes bytes in the protocols of Python 2."""
    if encoding != "latin1":
        raise ValueError("it encodes text in another way than bytes are")
    return text.encode("latin1")


STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    ("numpy", "ndarray"): _array,
    ("numpy", "dtype"): _type,
    ("_codecs", "encode"): _encoded,
}
"""What may be called instead of the function of that module and name."""
