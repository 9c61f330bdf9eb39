import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from law_rl.data.restricted_pickle import unpickle_arrays

ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def python2_pickle(array: np.ndarray, labels: list[int]) -> bytes:
    """Opcode by opcode what Python 2 with numpy 1 wrote: protocol 2, byte strings for text and for the array."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def integer(value: int) -> bytes:
        return b"K" + bytes([value])

    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + integer(0) + b"\x85" + text(b"b")
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + integer(0) + integer(1) + b"\x87R"
    dtype += b"(" + integer(3) + text(b"|") + b"NNN" + 2 * b"J\xff\xff\xff\xff" + integer(0) + b"tb"
    shape = integer(array.shape[0]) + integer(array.shape[1]) + b"\x86"
    content = b"T" + array.size.to_bytes(4, "little") + array.tobytes()
    data = reconstruct + b"\x87R" + b"(" + integer(1) + shape + dtype + b"\x89" + content + b"tb"
    numbers = b"](" + b"".join(map(integer, labels)) + b"e"
    return b"\x80\x02}(" + text(b"labels") + numbers + text(b"data") + data + b"u."


def test_reads_what_python_2_wrote() -> None:
    content = unpickle_arrays(python2_pickle(ARRAY, [1, 0, 2]))
    assert content["labels"] == [1, 0, 2]
    assert content["data"].dtype == np.uint8 and np.array_equal(content["data"], ARRAY)


@pytest.mark.parametrize("array", [ARRAY, np.asfortranarray(ARRAY), np.empty((0, 4), np.uint8)])
def test_reads_what_python_3_writes(array: np.ndarray) -> None:
    content = {"data": array, "names": ["a", b"b"], "nested": {"x": (1, None, True, 0.5)}}
    read = unpickle_arrays(pickle.dumps(content, protocol=3))
    assert np.array_equal(read.pop("data"), array)
    assert read == {"names": ["a", b"b"], "nested": {"x": (1, None, True, 0.5)}}


class Malicious:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "executed"
    data = pickle.dumps({"data": Malicious(os.mkdir, str(marker))}, protocol=protocol)
    with pytest.raises(ValueError, match=r"posix\.mkdir|nt\.mkdir"):
        unpickle_arrays(data)
    assert not marker.exists()
    pickle.loads(data)
    assert marker.exists(), "the pickle would not have run anything in the first place"


@pytest.mark.parametrize("function", [eval, exec, getattr, np.load, np.lib.format.open_memmap, type])
def test_every_other_name_is_refused(function: object) -> None:
    with pytest.raises(ValueError, match="which is no numpy array"):
        unpickle_arrays(pickle.dumps({"data": Malicious(function, "1")}))


def test_what_is_no_dictionary_of_uint8_arrays_is_refused() -> None:
    for content, message in [
        ({"data": np.array([Path()], dtype=object)}, "refused"),
        ({"data": np.array([1.0])}, "'f8'"),
        ([1, 2], "list"),
    ]:
        with pytest.raises(ValueError, match=message):
            unpickle_arrays(pickle.dumps(content, protocol=3))
    whole = pickle.dumps({"data": ARRAY}, protocol=3)
    for damaged in (b"", whole[:-20], b"\x00" + whole):
        with pytest.raises(ValueError, match="refused"):
            unpickle_arrays(damaged)
