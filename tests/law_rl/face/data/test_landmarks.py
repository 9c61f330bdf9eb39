from pathlib import Path

import numpy as np
import pytest

from law_rl.face.data.landmarks import read_landmarks

HEADER = "file,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5"
ROW = "1,2,3.5,4,5,6,-7,8,9e0,10"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_landmarks_are_read(tmp_path: Path) -> None:
    found = read_landmarks(write(tmp_path / "a.csv", HEADER, f"x/a.jpg,{ROW}", f'"b, c.jpg",{ROW}'))
    assert list(found) == ["x/a.jpg", "b, c.jpg"]
    for points in found.values():
        assert points.dtype == np.float64 and points.tolist() == [[1, 2], [3.5, 4], [5, 6], [-7, 8], [9, 10]]
    assert read_landmarks(write(tmp_path / "b.csv", HEADER)) == {}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1, must be file,x1,y1"),
        ([HEADER.upper()], "line 1, must be"),
        ([HEADER, f"a,{ROW}", f"b,{ROW},11"], "line 3, is 'b,1,2"),
        ([HEADER, f"a,{ROW[:-3]}"], "line 2, is 'a,1"),
        ([HEADER, f"a,{ROW}", "b,1,2,3,4,5,six,7,8,9,10"], "line 3, is"),
        ([HEADER, "a,1,2,3,4,5,nan,7,8,9,10"], "line 2, is"),
        ([HEADER, "a,1,2,3,4,5,inf,7,8,9,10"], "line 2, is"),
        ([HEADER, "", f"a,{ROW}"], "line 2, is ''"),
        ([HEADER, f"a,{ROW}", f"a,{ROW}"], "line 3, names a again"),
        ([HEADER, f'"{"a" * 200_000}",{ROW}'], "is no CSV"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.csv,? {message}"):
        read_landmarks(write(tmp_path / "a.csv", *lines))


def test_what_is_no_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.csv do not exist: write a CSV with columns file,x1"):
        read_landmarks(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"a\.csv is no CSV"):
        read_landmarks(tmp_path / "a.csv")
