"""Lists of pairs of images by their names, in CSV files, and whose images they are."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

ENDS = ("first", "second")
SAME = "same"
ANSWERS = {"1": True, "0": False}


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedPairs:
    """Names of `first` and `second` images, V each, and bool [V] whether both show the `same` person; None where the
    list does not say.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    same: NDArray[np.bool_] | None

    def rows(self, names: Sequence[str], source: Path) -> Tensor:
        """The pairs as int64 [V, 2], places in `names`, those of the images in the file `source`.

        ValueError for a name that is not among them, or that two images have.
        """
        places = {name: place for place, name in enumerate(names)}
        if len(places) < len(names):
            twice = next(name for place, name in enumerate(names) if places[name] != place)
            raise ValueError(f"{source} has two images named {twice}: embed images with names of their own")
        missing = next((name for name in (*self.first, *self.second) if name not in places), None)
        if missing is not None:
            raise ValueError(f"the pairs name {missing}, which is not in {source}: name images as embed was given them")
        ends = ([places[name] for name in end] for end in (self.first, self.second))
        return torch.tensor(list(ends)).T.contiguous()


def read_named_pairs(path: Path) -> NamedPairs:
    """The pairs of a CSV with the columns first and second, names of images, and where it has it same: 1 for two images
    of one person, 0 for those of two. Other columns are passed over.

    Raises FileNotFoundError for a missing file, ValueError with the line that is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(f"The pairs {path} do not exist: write a CSV with the columns first,second")
    found: list[tuple[str, str]] = []
    same: list[bool] = []
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        try:
            says = SAME in (rows.fieldnames or ())
            if not set(ENDS) <= set(rows.fieldnames or ()):
                raise ValueError(f"{path}, line 1, must name the columns first,second: write this line")
            for row in rows:
                if not row["first"] or not row["second"] or (says and row[SAME] not in ANSWERS):
                    wanted = "two names and 1 or 0 for same" if says else "two names"
                    raise ValueError(f"{path}, line {rows.line_num}, is no pair: write {wanted}")
                found.append((row["first"], row["second"]))
                same += [ANSWERS[row[SAME]]] if says else []
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no CSV ({error}, near line {rows.line_num}): write it again") from error
    if not found:
        raise ValueError(f"{path} holds no pair: write one on each line")
    first, second = zip(*found, strict=True)
    return NamedPairs(first=first, second=second, same=np.array(same) if says else None)


def linked_persons(pairs: NDArray[np.integer], same: NDArray[np.bool_], images: int) -> NDArray[np.int64]:
    """The person of each of so many images, int64 [images]: images are one person's where pairs [V, 2] that are the
    `same` link them, directly or through others.

    Raises ValueError for a pair of two persons whose images are linked.
    """
    links = (np.ones(int(same.sum())), (pairs[same, 0], pairs[same, 1]))
    _, persons = connected_components(coo_array(links, shape=(images, images)), directed=False)
    wrong = ~same & (persons[pairs[:, 0]] == persons[pairs[:, 1]])
    if wrong.any():
        raise ValueError(
            f"pair {int(wrong.argmax()) + 1} is said to be of two persons, and other pairs link its images as one's: "
            "correct the column same"
        )
    whose: NDArray[np.int64] = persons.astype(np.int64)
    return whose
