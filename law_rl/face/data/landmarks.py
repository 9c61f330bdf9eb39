"""Five landmarks for each face image, in a CSV file."""

import csv
import math
from pathlib import Path

import numpy as np

from law_rl.face.data.alignment import TEMPLATE

COLUMNS = ("file", *(f"{axis}{point}" for point in range(1, 6) for axis in "xy"))


def read_landmarks(path: Path) -> dict[str, np.ndarray]:
    """float64 [5, 2] of each file in a CSV with the columns file, x1, y1, ..., x5, y5, in the order of `TEMPLATE`.

    Raises FileNotFoundError for a missing file, ValueError with the line that is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(f"The landmarks {path} do not exist: write a CSV with columns {','.join(COLUMNS)}")
    found: dict[str, np.ndarray] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        try:
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError(f"{path}, line 1, must be {','.join(COLUMNS)}: write these columns")
            for row in rows:
                name, points = _parsed(path, rows.line_num, row)
                if name in found:
                    raise ValueError(f"{path}, line {rows.line_num}, names {name} again: keep one line for each image")
                found[name] = points
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV ({error}, near line {rows.line_num}): write it again") from error
    return found


def _parsed(path: Path, line: int, row: list[str]) -> tuple[str, np.ndarray]:
    try:
        points = np.array([float(word) for word in row[1:]]).reshape(TEMPLATE.shape)
    except ValueError:
        points = np.array(math.nan)
    if not np.isfinite(points).all():
        raise ValueError(f"{path}, line {line}, is {','.join(row)!r}: write a file and ten numbers")
    return row[0], points
