import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import KFold

from law_rl.face.data.bins import read_bin


def picture(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (6, 6), value).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


VALUES = [10, 20, 30, 40, 10, 60, 70, 40, 90, 100]
PICTURES = [picture(value) for value in VALUES]
SAME = [True, False, True, True, False]


def write(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def python2_bin(pictures: list[bytes], same: list[bool]) -> bytes:
    """Opcode by opcode what cPickle of Python 2 wrote with its highest protocol, which was 2."""
    texts = b"".join(
        b"T" + len(content).to_bytes(4, "little") + content + b"q" + bytes([number + 2])
        for number, content in enumerate(pictures)
    )
    truths = b"".join(b"\x88" if truth else b"\x89" for truth in same)
    return b"\x80\x02]q\x01(" + texts + b"e]q\x00(" + truths + b"e\x86q\x7f."


def check(path: Path) -> None:
    pairs = read_bin(path, size=4, channels=1, folds=3)
    assert pairs.images.shape == (8, 1, 4, 4), "two images are repeated"
    first = pairs.images[:, 0, 0, 0].float()[pairs.pairs].flatten()
    assert np.allclose(first, VALUES, atol=2)
    assert pairs.same.tolist() == SAME and pairs.fold.tolist() == [0, 0, 1, 1, 2]


def test_reads_what_python_2_wrote(tmp_path: Path) -> None:
    (tmp_path / "lfw.bin").write_bytes(python2_bin(PICTURES, SAME))
    check(tmp_path / "lfw.bin")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "content",
    [
        (PICTURES, SAME),
        [PICTURES, SAME],
        (PICTURES, [int(truth) for truth in SAME]),
        (PICTURES, [np.bool_(truth) for truth in SAME]),
        (PICTURES, np.array(SAME)),
        (PICTURES, np.array(SAME, dtype=np.uint8)),
        ([np.frombuffer(content, dtype=np.uint8) for content in PICTURES], SAME),
        ([np.array(bytearray(content), dtype=np.uint8)[:, None] for content in PICTURES], tuple(SAME)),
    ],
    ids=["bytes", "list", "ints", "scalars", "bools", "uint8", "frozen arrays", "arrays"],
)
def test_reads_what_python_3_writes(tmp_path: Path, protocol: int, content: object) -> None:
    check(write(tmp_path / "lfw.bin", content, protocol))


@pytest.mark.parametrize(("pairs", "folds"), [(10, 10), (23, 10), (7, 3), (4, 1)])
def test_folds_are_those_of_scikit_learn(tmp_path: Path, pairs: int, folds: int) -> None:
    path = write(tmp_path / "a.bin", (PICTURES[:2] * pairs, [True] * pairs))
    expected = np.zeros(pairs, dtype=int)
    if folds > 1:
        for fold, (_, held_out) in enumerate(KFold(folds, shuffle=False).split(np.zeros(pairs))):
            expected[held_out] = fold
    assert read_bin(path, size=4, channels=1, folds=folds).fold.tolist() == expected.tolist()


@pytest.mark.parametrize("folds", [0, 6])
def test_folds_must_fit(tmp_path: Path, folds: int) -> None:
    with pytest.raises(ValueError, match=f"folds is {folds}: give a number from 1 to 5"):
        read_bin(write(tmp_path / "a.bin", (PICTURES, SAME)), size=4, channels=1, folds=folds)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, "something else than a list of images"),
        ((PICTURES,), "something else than a list of images"),
        ((PICTURES, 5), "a int in place of a list"),
        ((PICTURES[:9], SAME), "holds 9 images and 5 truths"),
        (([], []), "holds 0 images and 0 truths"),
        ((PICTURES, [*SAME[:4], 2]), "truths that are neither true nor false"),
        ((PICTURES, [*SAME[:4], "yes"]), "truths that are neither true nor false"),
        ((["text"] * 10, SAME), "a str in place of an encoded image"),
        ((PICTURES, np.array([1.0] * 5)), "an array of type 'f8'"),
        (([None] * 10, SAME), "a NoneType in place of an encoded image"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.bin is no verification set \(.*{message}.*\): copy it again"):
        read_bin(write(tmp_path / "a.bin", content, protocol=3), size=4, channels=1)


def test_files_and_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lfw\.bin does not exist"):
        read_bin(tmp_path / "lfw.bin", size=4, channels=1)
    path = write(tmp_path / "a.bin", ([*PICTURES[:6], b"none", *PICTURES[7:9], b"none"], SAME))
    with pytest.raises(ValueError, match=r"Image 6 of .*a\.bin cannot be read"):
        read_bin(path, size=4, channels=1, folds=1)


class Call:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, eval])
def test_nothing_is_executed(tmp_path: Path, protocol: int, function: Any) -> None:
    canary = tmp_path / "canary"
    command = f"touch {canary}" if function is os.system else f"open({str(canary)!r}, 'w').close()"
    path = write(tmp_path / "a.bin", (PICTURES, [*SAME[:4], Call(function, command)]), protocol)
    with pytest.raises(ValueError, match=r"a\.bin is no verification set .*which is no numpy array"):
        read_bin(path, size=4, channels=1)
    assert not canary.exists()
    pickle.loads(path.read_bytes())
    assert canary.exists(), "the pickle would not have run anything in the first place"
