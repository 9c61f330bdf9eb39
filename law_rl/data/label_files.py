"""Files of human labels: .npz, .npy, .csv, .txt and CIFAR-10N's .pt."""

import csv
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

Columns = dict[str, np.ndarray]
CLEAN_COLUMN = "clean_label"


def read_labels(path: str, column: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The labels int64 [N] in `column` of the file, and its column `clean_label` where it has one.

    .npz, .csv (with a header) and .pt hold named columns; .npy and .txt (an integer per line) hold one without a
    name, which is then read whatever `column` says. Raises FileNotFoundError or ValueError with the remedy.
    """
    reader = _READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise ValueError(f"Label file {path} has an unknown ending: use one of {', '.join(_READERS)}.")
    if not Path(path).is_file():
        raise FileNotFoundError(f"Label file {path} does not exist: set NoiseConfig.labels to the path of one.")
    columns = reader(Path(path), (column, CLEAN_COLUMN))
    name = "" if "" in columns else column
    if name not in columns:
        raise ValueError(f"Label file {path} has no column {column!r}: set NoiseConfig.column to one that it has.")
    clean = columns.get(CLEAN_COLUMN)
    return _integers(columns[name], path), None if clean is None else _integers(clean, path)


def _integers(values: np.ndarray, path: str) -> torch.Tensor:
    if values.ndim != 1 or values.dtype.kind not in "iu" or not len(values):
        raise ValueError(
            f"Label file {path} must hold one integer per image, not {values.dtype} {values.shape}: "
            "write it as a vector of integers."
        )
    return torch.from_numpy(values.astype(np.int64))


def _read_npz(path: Path, wanted: Collection[str]) -> Columns:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in wanted if name in arrays.files}


def _read_npy(path: Path, wanted: Collection[str]) -> Columns:
    return {"": np.load(path, allow_pickle=False)}


def _read_txt(path: Path, wanted: Collection[str]) -> Columns:
    return {"": _parse(path.read_text().split(), path)}


def _read_csv(path: Path, wanted: Collection[str]) -> Columns:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: _parse([row[name] for row in rows], path) for name in wanted if rows and name in rows[0]}


def _parse(words: list[str], path: Path) -> np.ndarray:
    try:
        return np.array([int(word) for word in words], dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Label file {path} holds something that is no integer ({error}): correct that line."
        ) from error


def _read_pt(path: Path, wanted: Collection[str]) -> Columns:
    """CIFAR-10N's dictionary of numpy integer arrays; the loader may build those and nothing else."""
    reconstruct: Any = np.empty(0).__reduce__()[0]
    integers = [type(np.dtype(kind)) for kind in (np.uint8, np.int32, np.int64)]
    old_name = (reconstruct, "numpy.core.multiarray._reconstruct")
    with torch.serialization.safe_globals([np.ndarray, np.dtype, *integers, reconstruct, old_name]):
        columns = torch.load(path, map_location="cpu", weights_only=True)
    return {name: np.asarray(columns[name]) for name in wanted if name in columns}


_READERS: dict[str, Callable[[Path, Collection[str]], Columns]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".csv": _read_csv,
    ".txt": _read_txt,
    ".pt": _read_pt,
}
