"""The text files of IJB's protocols: which image belongs to which template and medium, and pairs of templates."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class TemplateList:
    """The names of N images, and the template and the medium of each, int64 [N]."""

    images: tuple[str, ...]
    templates: Tensor
    media: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class TemplatePairs:
    """`pairs` int64 [V, 2] of templates; `same` bool [V]."""

    pairs: Tensor
    same: Tensor


def read_template_list(path: Path) -> TemplateList:
    """Reads lines "IMAGE TEMPLATE MEDIUM", such as ijbc_face_tid_mid.txt.

    Raises FileNotFoundError for a missing file, and ValueError with the number of the first line that is not so.
    """
    columns = _read(path, ("IMAGE", "TEMPLATE", "MEDIUM"), text=1)
    templates, media = (torch.from_numpy(columns[k].to_numpy(copy=True)) for k in (1, 2))
    return TemplateList(images=tuple(columns[0]), templates=templates, media=media)


def read_template_pairs(path: Path) -> TemplatePairs:
    """Reads lines "TEMPLATE TEMPLATE LABEL" with label 1 for one person and 0 for two, as ijbc_template_pair_label.txt.

    Raises as `read_template_list`.
    """
    columns = _read(path, ("TEMPLATE", "TEMPLATE", "LABEL"), text=0)
    labels = columns[2].to_numpy()
    wrong = (labels != 0) & (labels != 1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{path} has the label {labels[row]} in line {_line_of(path, row)}: write 1 for one person, 0 for two."
        )
    return TemplatePairs(
        pairs=torch.from_numpy(columns[[0, 1]].to_numpy(copy=True)), same=torch.from_numpy(labels == 1)
    )


def _read(path: Path, names: Sequence[str], text: int) -> Any:
    """A table of one column a name, the first `text` of them strings and the others int64."""
    if not path.is_file():
        raise FileNotFoundError(f"The list {path} does not exist: unpack the protocol's meta files there.")
    kinds = {column: "str" if column < text else "int64" for column in range(len(names))}
    try:
        table = pd.read_csv(
            path, sep=r"\s+", header=None, dtype=kinds, na_filter=False, quoting=csv.QUOTE_NONE, encoding="utf-8"
        )
        if table.shape[1] != len(names):
            raise ValueError(f"{table.shape[1]} words in a line")
    except (ValueError, OverflowError) as error:  # what pandas raises is a ValueError too
        where = _first_bad_line(path, len(names), text) or str(error)
        raise ValueError(f"{path} cannot be read ({where}): each line must be {' '.join(names)}.") from error
    return table


def _first_bad_line(path: Path, words: int, text: int) -> str:
    """What is wrong in the first line that is not `words` words, all after the first `text` of them integers."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            parts = line.split()
            if parts and len(parts) != words:
                return f"line {number} has {len(parts)} words"
            if bad := next((part for part in parts[text:] if not _is_integer(part)), None):
                return f"line {number} has {bad!r} for an integer"
    return ""


def _is_integer(word: str) -> bool:
    return word.removeprefix("-").isdecimal() and word.isascii() and abs(int(word)) < 2**63


def _line_of(path: Path, row: int) -> int:
    """The number of the line of table row `row`; empty lines are no rows."""
    with path.open(encoding="utf-8") as file:
        numbers = (number for number, line in enumerate(file, 1) if line.strip())
        return next(number for count, number in enumerate(numbers) if count == row)
