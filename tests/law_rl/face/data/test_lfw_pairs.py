from pathlib import Path

import pytest
from PIL import Image

from law_rl.face.data import lfw_pairs
from law_rl.face.data.lfw_pairs import read_lfw, read_pairs

FOLDS = "2\t2\nAnn\t1\t2\nAnn\t1\t3\nAnn\t1\tBob\t1\nBob\t2\tAnn\t2\n" + (
    "Cid\t1\t2\nCid\t2\t1\nCid\t1\tDee\t1\nDee\t1\tCid\t2\n"
)
FILES = ["Ann_0001", "Ann_0002", "Ann_0003", "Bob_0001", "Bob_0002", "Cid_0001", "Cid_0002", "Dee_0001"]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_folds_come_in_order(tmp_path: Path) -> None:
    found = read_pairs(write(tmp_path / "pairs.txt", FOLDS), Path("faces"))
    assert list(found.files) == [Path("faces") / name[:3] / f"{name}.jpg" for name in FILES]
    assert found.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [4, 1], [5, 6], [6, 5], [5, 7], [7, 6]]
    assert found.same.tolist() == [True, True, False, False] * 2
    assert found.fold.tolist() == [0] * 4 + [1] * 4


def test_one_number_is_a_single_fold(tmp_path: Path) -> None:
    text = "2\n" + FOLDS.split("\n", 1)[1][: FOLDS.index("Cid") - 4] + "\n\n"
    found = read_pairs(write(tmp_path / "pairs.txt", text), tmp_path, ending=".png")
    assert found.fold.tolist() == [0] * 4 and found.same.tolist() == [True, True, False, False]
    assert {path.suffix for path in found.files} == {".png"}


def test_each_image_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(FILES):
        path = tmp_path / name[:3] / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (7, 7), (10 * number,) * 3).save(path)
    decoded: list[int] = []
    original = lfw_pairs.decode_faces
    monkeypatch.setattr(lfw_pairs, "decode_faces", lambda n, *a, **k: (decoded.append(n), original(n, *a, **k))[1])
    pairs = read_lfw(tmp_path, write(tmp_path / "pairs.txt", FOLDS), size=5, channels=1, ending=".png")
    assert decoded == [len(FILES)] and pairs.images.shape == (8, 1, 5, 5)
    assert pairs.images[:, 0, 0, 0].tolist() == [10 * number for number in range(8)]
    assert pairs.pairs[3].tolist() == [4, 1] and pairs.fold.tolist() == [0] * 4 + [1] * 4
    (tmp_path / "Dee" / "Dee_0001.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"Dee/Dee_0001\.png does not exist"):
        read_lfw(tmp_path, tmp_path / "pairs.txt", size=5, channels=1, ending=".png")


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "2 2 2", "line 1, is '2 2 2': write folds and pairs as 10 300"),
        (1, "ten 300", "line 1, is"),
        (1, "0 300", "line 1, is"),
        (1, "-1", "line 1, is"),
        (1, "2 99999999999999999999", "line 1, is"),
        (1, "3 2", "holds 8 pairs and its first line promises 3 x 2 x 2"),
        (1, "999999999 999999999", "line 4, is 'Ann 1 Bob 1': write NAME i j"),
        (2, "Ann 1", "line 2, is 'Ann 1': write NAME i j"),
        (2, "", "line 2, is '': write NAME i j"),
        (3, "Ann 1 Bob 2", "line 3, is 'Ann 1 Bob 2': write NAME i j"),
        (4, "Ann 1 2", "line 4, is 'Ann 1 2': write NAME i OTHER j"),
        (5, "Bob two Ann 2", "line 5, is"),
        (5, "Bob 0 Ann 2", "line 5, is"),
        (6, "../Cid 1 2", r"line 6, is '\.\./Cid 1 2'"),
        (7, "Cid \u0661 2", "line 7, is"),
        (9, "", "holds 7 pairs"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: int, text: str, message: str) -> None:
    lines = FOLDS.splitlines()
    lines[line - 1] = text
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"pairs\.txt,? {message}"):
        read_pairs(path, tmp_path)


def test_a_file_that_is_no_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"pairs\.txt does not exist"):
        read_pairs(tmp_path / "pairs.txt", tmp_path)
    with pytest.raises(ValueError, match=r"pairs\.txt, line 1, is ''"):
        read_pairs(write(tmp_path / "pairs.txt", "\n"), tmp_path)
    (tmp_path / "pairs.txt").write_bytes(b"10 300\n\xff\xfe")
    with pytest.raises(ValueError, match=r"pairs\.txt is no text"):
        read_pairs(tmp_path / "pairs.txt", tmp_path)
