"""The verification protocol of Labeled Faces in the Wild (Huang et al., 2007): pairs.txt and the folders it names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from law_rl.face.data.images import decode_faces
from law_rl.face.data.pair_set import PairSet


@dataclass(frozen=True, kw_only=True, eq=False)
class FilePairs:
    """`files`, each once; `pairs` int64 [V, 2], indices of files; `same` bool [V]; `fold` int64 [V] from 0."""

    files: tuple[Path, ...]
    pairs: torch.Tensor
    same: torch.Tensor
    fold: torch.Tensor


def read_lfw(root: Path, pairs_path: Path, *, size: int, channels: int, ending: str = ".jpg") -> PairSet:
    """The pairs of `read_pairs` with their images, of which each is decoded once. Raises what `decode_face` raises."""
    found = read_pairs(pairs_path, root, ending=ending)
    files = found.files
    images = decode_faces(len(files), lambda index: (files[index], ""), size=size, channels=channels)
    return PairSet(images=images, pairs=found.pairs, same=found.same, fold=found.fold)


def read_pairs(path: Path, root: Path, *, ending: str = ".jpg") -> FilePairs:
    """The pairs that the file lists, in its order; image 7 of NAME is `root`/NAME/NAME_0007 with the ending.

    The first line is "10 300": the number of folds and, in each, of pairs of one person and of pairs of two; or "1100":
    a single fold. Rows follow fold by fold: first "NAME i j", then "NAME i OTHER j". Raises FileNotFoundError for a
    missing file, ValueError with the line that is wrong; whether the images exist is not looked at.
    """
    if not path.is_file():
        raise FileNotFoundError(f"The list of pairs {path} does not exist: give the path of LFW's pairs.txt")
    rows = _rows(path)
    folds, each = _sizes(path, next(rows, (1, []))[1])
    numbers: dict[Path, int] = {}
    pairs, same, fold = [], [], []
    for position, (line, words) in enumerate(rows):
        alike = position % (2 * each) < each
        ends = _ends(path, line, words, alike)
        files = [root / name / f"{name}_{number:04d}{ending}" for name, number in ends]
        pairs.append([numbers.setdefault(file, len(numbers)) for file in files])
        same.append(alike)
        fold.append(position // (2 * each))
    if len(pairs) != 2 * folds * each:
        raise ValueError(
            f"{path} holds {len(pairs)} pairs and its first line promises {folds} x 2 x {each}: copy the file again"
        )
    return FilePairs(files=tuple(numbers), pairs=torch.tensor(pairs), same=torch.tensor(same), fold=torch.tensor(fold))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of each line and its words; blank lines at the end are none."""
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}): give LFW's pairs.txt") from error
    return ((number, line.split()) for number, line in enumerate(lines, start=1))


def _sizes(path: Path, words: Sequence[str]) -> tuple[int, int]:
    """The number of folds, and of the pairs of each kind in one."""
    if len(words) not in (1, 2) or not all(_is_number(word) for word in words):
        raise ValueError(f"{path}, line 1, is {' '.join(words)!r}: write folds and pairs as 10 300, or pairs as 1100")
    return (int(words[0]), int(words[1])) if len(words) == 2 else (1, int(words[0]))


def _ends(path: Path, line: int, words: Sequence[str], alike: bool) -> list[tuple[str, int]]:
    """The names and image numbers of a row of one person ("NAME i j") or two ("NAME i OTHER j")."""
    wanted = "NAME i j, with images of one person" if alike else "NAME i OTHER j, with images of two persons"
    names, numbers = ((*words[:1], *words[:1]), words[1:]) if alike else (words[::2], words[1::2])
    if (
        len(words) != (3 if alike else 4)
        or any(Path(name).name != name for name in names)
        or not all(_is_number(number) for number in numbers)
    ):
        raise ValueError(f"{path}, line {line}, is {' '.join(words)!r}: write {wanted}")
    return [(name, int(number)) for name, number in zip(names, numbers, strict=True)]


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10 and int(word) > 0
