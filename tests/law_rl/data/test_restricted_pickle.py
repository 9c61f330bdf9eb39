import copyreg
import os
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.data.pickled_arrays import PickledArray
from law_rl.data.restricted_pickle import unpickle_arrays, unpickle_plain

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


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.sampled_from(["x" * 300, b"x" * 300, 2**40]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(content=plain, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_comes_back(content: object, protocol: int) -> None:
    data = pickle.dumps(content, protocol=protocol)
    if protocol >= 3 or b"__builtin__" not in data:  # the empty bytes of the protocols of Python 2
        assert unpickle_plain(data) == content


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [np.uint8, np.bool_])
def test_arrays_and_scalars_come_back(protocol: int, kind: type) -> None:
    arrays = [
        np.asarray(ARRAY % 2, dtype=kind),
        np.asfortranarray(ARRAY.astype(kind)),
        np.frombuffer(b"\1\0", dtype=kind),
    ]
    read = unpickle_plain(pickle.dumps([*arrays, *arrays, kind(1)], protocol=protocol))
    assert read[-1] == 1 and type(read[-1]) in (bool, int)
    for array, stand_in in zip([*arrays, *arrays], read[:-1], strict=True):
        assert isinstance(stand_in, PickledArray)
        assert stand_in.values.dtype == array.dtype and np.array_equal(stand_in.values, array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Pname\n.", "PERSID"),
        (b"\x80\x02NQ.", "BINPERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
        (b"(S'echo'\nios\nsystem\n.", "INST"),
        (b"\x80\x02(cnumpy\nndarray\no.", "OBJ"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
        (b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)}\x92.", "NEWOBJ_EX"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x04\x8f.", "EMPTY_SET"),
        (b"\x80\x02N2.", "DUP"),
        (b"\x80\x04NN\x93.", "a NoneType where a str belongs"),
        (b"\x80\x02N)R.", "a NoneType where a StandIn belongs"),
        (b"\x80\x02]Na0", "POP"),
        (b"\x80\x02}Na.", "a dict where a list belongs"),
        (b"\x80\x02]NNs.", "a list where a dict belongs"),
        (b"\x80\x02}(K\x01NK\x02u.", "shorter"),
        (b"\x80\x02}NNs.", "a NoneType for a key"),
        (b"\x80\x02h\x07.", "7"),
        (b"\x80\x02.", "pop from empty list"),
        (b"\x80\x02e.", "pop from empty list"),
        (b"\x80\x02cnumpy\ndtype\n)R" + b"cnumpy.core.multiarray\nscalar\n", "exhausted"),
    ],
)
def test_other_operations_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"The pickle was refused: .*{message}"):
        unpickle_plain(data)


def test_registered_extensions_are_not_looked_up(tmp_path: Path) -> None:
    copyreg.add_extension("os", "mkdir", 240)
    try:
        data = pickle.dumps(Malicious(os.mkdir, str(tmp_path / "made")), protocol=2)
        data = data.replace(b"cposix\nmkdir\n", b"\x82\xf0")
        with pytest.raises(ValueError, match="EXT1"):
            unpickle_plain(data)
        pickle.loads(data)
        assert (tmp_path / "made").exists(), "the pickle would not have run anything in the first place"
    finally:
        copyreg.remove_extension("os", "mkdir", 240)


def test_the_stand_ins_cannot_be_changed() -> None:
    """BUILD on what is no array sets nothing, whatever state it is given."""
    for target in (b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"}", b"]", b"cnumpy\ndtype\n)R"):
        unpickle_plain(b"\x80\x02" + target + b"}X\x04\x00\x00\x00callNsb.")
    assert np.array_equal(unpickle_arrays(pickle.dumps({"data": ARRAY}, protocol=2))["data"], ARRAY)


def peak_of(data: bytes) -> int:
    """The most bytes that a refused pickle made the interpreter hold."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="refused"):
            unpickle_plain(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"short.",  # BINBYTES8
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"short.",  # BYTEARRAY8
        b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"short.",  # BINUNICODE8
        b"\x80\x02B" + struct.pack("<I", 2**32 - 1) + b"short.",
        b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"short.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"short.",  # LONG4
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N",  # FRAME
        b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b"0.",  # a place in the memo
        b"I" + b"9" * 5000 + b"\n.",
    ],
)
def test_lengths_that_lie_allocate_nothing(data: bytes) -> None:
    assert peak_of(data) < 2**20


def test_text_cannot_be_copied_without_end() -> None:
    """One text of a megabyte in the memo, encoded to bytes ten thousand times."""
    text = b"X" + struct.pack("<I", 2**20) + b"a" * 2**20 + b"q\x00"
    once = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    assert peak_of(b"\x80\x02(" + text + once * 10_000 + b"t.") < 2**23


def test_shapes_that_lie_are_refused() -> None:
    whole = pickle.dumps({"data": ARRAY}, protocol=3)
    for shape in (b"K\x03K\x05\x86", b"J\xff\xff\xff\xffK\x04\x86", b"NK\x04\x86", b"]"):
        damaged = whole.replace(b"K\x03K\x04\x86", shape)
        assert damaged != whole
        assert peak_of(damaged) < 2**20


NESTED = 250_000


@pytest.mark.parametrize(
    "deep", [b"N" + b"\x85" * NESTED, b"]" * NESTED + b"a" * (NESTED - 1)], ids=["tuples", "lists"]
)
def test_deep_nesting_is_no_danger(deep: bytes) -> None:
    """Python exhausts the stack of the process where it hashes such a tuple, as a key or as part of a name."""
    content = unpickle_plain(b"\x80\x04(" + deep + b"t.")
    assert len(content) == 1
    for data in (b"}" + deep + b"Ns.", b"N" + deep + b"\x93."):
        with pytest.raises(ValueError, match="refused"):
            unpickle_plain(b"\x80\x04" + data)


@settings(max_examples=150, deadline=None)
@given(
    changes=st.dictionaries(st.integers(0, 400), st.integers(0, 255), min_size=1, max_size=5),
    protocol=st.integers(0, 5),
)
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_damage_is_read_or_refused(changes: dict[int, int], protocol: int) -> None:
    data = bytearray(pickle.dumps({"data": ARRAY, "names": ["a", b"b"], "flags": [np.True_, 1.5]}, protocol=protocol))
    for place, value in changes.items():
        data[place % len(data)] = value
    try:
        unpickle_arrays(bytes(data))
    except ValueError as error:
        assert str(error).startswith("The pickle was refused: ")
