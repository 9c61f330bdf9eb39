import io
import struct
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from law_rl.face.data import record_file
from law_rl.face.data.record_file import RecordFile
from law_rl.face.data.records import Records, read_records

MAGIC = b"\x0a\x23\xd7\xce"
LABELS = [4, 4, 9, 2, 9, 9, 7]  # of images 1 to 7


def framed(content: bytes) -> bytes:
    """One record as the writer of dmlc-core frames it: cut at every magic number on a multiple of 4."""
    places = [at for at in range(0, len(content) // 4 * 4, 4) if content[at : at + 4] == MAGIC]
    starts, ends = [0, *(at + 4 for at in places)], [*places, len(content)]
    kinds = [0] if not places else [1, *[2] * (len(places) - 1), 3]
    parts = [
        MAGIC + struct.pack("<I", kind << 29 | end - start) + content[start:end]
        for kind, start, end in zip(kinds, starts, ends, strict=True)
    ]
    return b"".join(part + b"\0" * (-len(part) % 4) for part in parts)


def packed(labels: float | Sequence[float], picture: bytes = b"", number: int = 0) -> bytes:
    """The content of a record: a header with one label, or a list of labels after it."""
    if isinstance(labels, Sequence):
        return struct.pack("<IfQQ", len(labels), 0, number, 0) + struct.pack(f"<{len(labels)}f", *labels) + picture
    return struct.pack("<IfQQ", 0, labels, number, 0) + picture


def write(path: Path, contents: Sequence[bytes], keys: Sequence[int] | None = None) -> Path:
    blob, lines = b"", []
    for key, content in zip(keys or range(len(contents)), contents, strict=True):
        lines.append(f"{key}\t{len(blob)}\n")
        blob += framed(content)
    path.write_bytes(blob)
    path.with_suffix(".idx").write_text("".join(lines))
    return path


def picture(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 5), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def training_set() -> list[bytes]:
    """As the published ones: a header, images with both kinds of labels, and the persons' lists."""
    images = [
        packed(label if index % 2 else [label, 5.0], picture(index), index)
        for index, label in enumerate(LABELS, start=1)
    ]
    return [packed([len(LABELS) + 1.0, len(LABELS) + 3.0]), *images, packed([1.0, 3.0]), packed([3.0, 4.0])]


@pytest.mark.parametrize("indexed", [True, False])
def test_images_end_where_the_header_says(tmp_path: Path, indexed: bool) -> None:
    path = write(tmp_path / "train.rec", training_set())
    if not indexed:
        path.with_suffix(".idx").unlink()
    records = Records(path)
    assert len(records) == len(LABELS)
    assert records.labels().dtype == torch.int64 and records.labels().tolist() == LABELS
    assert [records.read(index) for index in range(7)] == [
        (label, picture(index)) for index, label in enumerate(LABELS, start=1)
    ]
    assert list(tmp_path.glob("*.idx")) == ([path.with_suffix(".idx")] if indexed else [])
    with pytest.raises(IndexError):
        records.read(7)


def test_without_a_header_every_record_is_an_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec", [packed(3, b"x"), packed([8], b"yy")])
    assert Records(path).labels().tolist() == [3, 8] and Records(path).read(1) == (8, b"yy")
    path = write(tmp_path / "b.rec", [packed([8], b"yy"), packed(3, b"x")], keys=[7, 5])
    assert Records(path).labels().tolist() == [3, 8], "keys decide the order"


contents = st.lists(st.sampled_from([MAGIC, MAGIC[1:], b"\0\0\0\0", b"ab", b"x"]), max_size=12).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(pictures=st.lists(contents, min_size=1, max_size=5), scan=st.booleans())
def test_records_that_hold_the_magic_number_are_joined(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[bytes], scan: bool
) -> None:
    path = write(tmp_path_factory.mktemp("r") / "a.rec", [packed(3, content) for content in pictures])
    if scan:
        path.with_suffix(".idx").unlink()
    records = Records(path)
    assert [records.read(index) for index in range(len(records))] == [(3, content) for content in pictures]
    assert records.labels().tolist() == [3] * len(pictures)


def test_threads_read_the_same(tmp_path: Path) -> None:
    records = Records(write(tmp_path / "a.rec", [packed(n, bytes([n]) * 100) for n in range(200)]))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(records.read, range(200))) == [(n, bytes([n]) * 100) for n in range(200)]


def test_labels_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_file, "_BLOCK", 3)
    path = write(tmp_path / "a.rec", [packed(n if n % 3 else [n, 1.0]) for n in range(1, 12)], keys=range(1, 12))
    assert Records(path).labels().tolist() == list(range(1, 12))


@pytest.mark.parametrize(
    ("least", "limit", "kept"), [(1, None, [2, 4, 7, 9]), (2, None, [4, 9]), (1, 2, [2, 4]), (3, 9, [9])]
)
def test_faces_are_numbered_in_the_order_of_their_labels(
    tmp_path: Path, least: int, limit: int | None, kept: list[int]
) -> None:
    path = write(tmp_path / "train.rec", training_set())
    faces = read_records(path, size=4, channels=3, least=least, limit=limit)
    chosen = [index for index, label in enumerate(LABELS, start=1) if label in kept]
    assert faces.names == tuple(map(str, kept)) and faces.images.shape == (len(chosen), 3, 4, 4)
    assert faces.images[:, 0, 0, 0].tolist() == chosen
    assert [kept[label] for label in faces.identities.tolist()] == [LABELS[index - 1] for index in chosen]


def test_settings_and_images_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "train.rec", training_set())
    with pytest.raises(ValueError, match=r"No identity of .*train\.rec has 4 images, the most are 3: lower least"):
        read_records(path, size=4, channels=1, least=4)
    for wrong in ({"least": 0}, {"limit": 0}):
        with pytest.raises(ValueError, match=r"least is \d and limit"):
            read_records(path, size=4, channels=1, **wrong)
    path = write(tmp_path / "b.rec", [packed(0, picture(1)), packed(0, picture(2)[:40])])
    with pytest.raises(ValueError, match=r"Image record 1 of .*b\.rec cannot be read"):
        read_records(path, size=4, channels=1)


@pytest.mark.parametrize("label", [-1.0, 0.5, float("nan"), float("inf"), -float("inf"), 3e38])
def test_a_label_that_is_no_identity_is_named(tmp_path: Path, label: float) -> None:
    path = write(tmp_path / "a.rec", [packed(1), packed(label)])
    with pytest.raises(ValueError, match=r"The record 1 of .*a\.rec has the label .*: pack the number"):
        Records(path).labels()


@pytest.mark.parametrize("end", [0.0, 1.0, -5.0, 2.5, 10.0, 3e38, float("nan"), float("inf")])
def test_a_header_that_lies_is_named(tmp_path: Path, end: float) -> None:
    with pytest.raises(ValueError, match=r"a\.rec is said by its record 0 to hold the images from 1 below"):
        Records(write(tmp_path / "a.rec", [packed([end, 4.0]), packed(1), packed(2)]))


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("cut", [1, 5, 30, 60])
def test_a_truncated_file_is_named(tmp_path: Path, index: bool, cut: int) -> None:
    path = write(tmp_path / "a.rec", [packed(label, b"picture " * 2) for label in range(4)])
    path.write_bytes(path.read_bytes()[:-cut])
    if not index:
        path.with_suffix(".idx").unlink()
    with pytest.raises(ValueError, match=r"record [23] of .*a\.rec is damaged|outside the \d+ bytes"):
        Records(path).labels()
    with pytest.raises(ValueError, match=r"record [23] of .*a\.rec is damaged|outside the \d+ bytes"):
        records = Records(path)
        [records.read(number) for number in range(4)]


@pytest.mark.parametrize(
    ("at", "word"),
    [
        (0, b"\0\0\0\0"),  # magic
        (4, struct.pack("<I", 2**29 - 1)),  # a length far beyond the file
        (4, struct.pack("<I", 3)),  # shorter than a header
        (4, struct.pack("<I", 2 << 29 | 40)),  # starts in the middle
        (4, struct.pack("<I", 1 << 29 | 40)),  # goes on with what is a record of its own
        (8, struct.pack("<I", 5)),  # more labels than bytes
        (8, struct.pack("<I", 2**32 - 1)),
    ],
)
@pytest.mark.parametrize("index", [True, False])
def test_every_kind_of_damage_is_named(tmp_path: Path, at: int, word: bytes, index: bool) -> None:
    path = write(tmp_path / "a.rec", [packed(3, b"0123456789abcdef")] * 3)
    data = bytearray(path.read_bytes())
    data[48 + at : 48 + at + 4] = word
    path.write_bytes(data)
    if not index:
        path.with_suffix(".idx").unlink()
    with pytest.raises(ValueError, match=r"record [12] of .*a\.rec is (damaged|shorter)"):
        Records(path).read(1)


def test_labels_of_what_is_no_record_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec", [packed(3, b"0123456789abcdef")] * 3)
    path.write_bytes(path.read_bytes()[:48] + b"none" + path.read_bytes()[52:])
    with pytest.raises(ValueError, match=r"record 1 of .*a\.rec is damaged"):
        Records(path).labels()


def test_a_lying_length_allocates_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec", [packed(3, b"picture")])
    path.write_bytes(MAGIC + struct.pack("<I", 2**29 - 1) + path.read_bytes()[8:])
    tracemalloc.start()
    with pytest.raises(ValueError, match="damaged"):
        Records(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no record"),
        ("\n \n", "lists no record"),
        ("0\t0\n1\n", "cannot be read"),
        ("0 zero\n", "cannot be read"),
        ("0\t99999999999999999999\n", "cannot be read"),
        ("0\t0\t0\n", "has 3 columns"),
        ("0\t0\n1\t4000\n", "lists a record outside the 48 bytes"),
        ("0\t0\n1\t-8\n", "lists a record outside"),
        ("-1\t0\n", "lists a record outside"),
        ("0\t0\n0\t8\n", "lists a key or a place twice"),
        ("0\t0\n1\t0\n", "lists a key or a place twice"),
    ],
)
def test_a_wrong_index_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "a.rec", [packed(3, b"0123456789abcdef")])
    path.with_suffix(".idx").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.idx {message}"):
        Records(path)


def test_an_index_into_the_middle_of_a_record_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec", [packed(3, b"0123456789abcdef")] * 2)
    path.with_suffix(".idx").write_text("0\t0\n1\t12\n")
    with pytest.raises(ValueError, match=r"record 1 of .*a\.rec is damaged"):
        Records(path).labels()


def test_what_is_no_file_of_records_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train\.rec do not exist"):
        Records(tmp_path / "train.rec")
    with pytest.raises(FileNotFoundError, match="do not exist: give the path of a"):
        Records(tmp_path)
    path = tmp_path / "a.rec"
    for content in (b"", b"\x0a\x23"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.rec holds no record"):
            Records(path)
    path.write_bytes(b"\xff\xd8 some JPEG")
    with pytest.raises(ValueError, match=r"record 0 of .*a\.rec is damaged"):
        Records(path)


@settings(max_examples=200, deadline=None)
@given(flips=st.dictionaries(st.integers(0, 400), st.integers(0, 255), min_size=1, max_size=6), scan=st.booleans())
def test_damage_is_read_or_named(tmp_path_factory: pytest.TempPathFactory, flips: dict[int, int], scan: bool) -> None:
    contents = [packed([4.0, 4.0]), *(packed(number, bytes(range(9 * number))) for number in (1, 2, 3))]
    path = write(tmp_path_factory.mktemp("r") / "a.rec", contents)
    data = bytearray(path.read_bytes())
    for place, value in flips.items():
        data[place % len(data)] = value
    path.write_bytes(data)
    if scan:
        path.with_suffix(".idx").unlink()
    try:
        records = Records(path)
        labels = records.labels()
        read = [records.read(index) for index in range(len(records))]
    except ValueError as error:
        assert "a.rec" in str(error)
    else:
        assert labels.tolist() == [label for label, _ in read]


def test_a_file_keeps_its_keys(tmp_path: Path) -> None:
    file = RecordFile(write(tmp_path / "a.rec", [packed(3), packed(4)], keys=[9, 2]))
    assert file.keys.tolist() == [2, 9] and file.name(0).startswith("record 2 of ")
    assert file.content(0) == packed(4)
