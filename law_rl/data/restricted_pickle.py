"""The official CIFAR files are pickles: this reads them without running anything that a pickle names."""

import io
import pickle
from typing import Any

import numpy as np


def unpickle_arrays(data: bytes) -> dict[str, Any]:
    """A pickled dictionary of uint8 arrays, lists, strings, bytes and numbers, with its keys as str.

    The names of numpy's array and dtype lead to inert stand-ins; any other name in the pickle is refused. Python 2's
    strings come as bytes. Raises ValueError for whatever is not such a dictionary.
    """
    try:
        content = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(f"The pickle was refused: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"The pickle was refused: it holds a {type(content).__name__} in place of a dictionary")
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: value.values if isinstance(value, _Array) else value
        for key, value in content.items()
    }


class _DType:
    """Stands for numpy.dtype: keeps the code ('u1') and ignores the rest."""

    def __init__(self, code: bytes | str = "", *_: object) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, state: object) -> None:
        pass


class _Array:
    """Stands for numpy.ndarray and for the function that numpy's pickles build arrays with."""

    def __init__(self, *_: object) -> None:
        self.values: np.ndarray = np.empty(0, dtype=np.uint8)

    def __setstate__(self, state: tuple[object, tuple[int, ...], _DType, bool, bytes]) -> None:
        _, shape, dtype, fortran, data = state
        if dtype.code != "u1":
            raise pickle.UnpicklingError(f"it holds an array of type {dtype.code!r} in place of 'u1'")
        self.values = np.frombuffer(data, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")


_STAND_INS: dict[tuple[str, str], type] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> type:
        try:
            return _STAND_INS[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which is no numpy array") from None
