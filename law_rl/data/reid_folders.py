"""Person re-identification as it is published in folders: Market-1501 and DukeMTMC-reID, and MSMT17."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from law_rl.counters import torch_generator
from law_rl.data.dataset import Split, channel_statistics
from law_rl.data.folders import ENDINGS
from law_rl.data.retrieval import RetrievalDataset, RetrievalSplit
from law_rl.data.splits import rank_within_class

MARKET_FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
MARKET_NAME = re.compile(r"(-1|\d+)_c(\d+)")
JUNK, DISTRACTOR = -1, 0
"""The identities of Market-1501's detections that are no person: the first are ignored, the second count as wrong."""

MSMT_LISTS = ("list_train.txt", "list_query.txt", "list_gallery.txt")
MSMT_FOLDERS = (("train", "test"), ("mask_train_v2", "mask_test_v2"))
MSMT_NAME = re.compile(r"\d+_\d+_(\d+)_")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Boxes:
    """Image files with their identities and cameras, int64 [N]."""

    files: tuple[Path, ...]
    identities: torch.Tensor
    cameras: torch.Tensor

    def subset(self, wanted: torch.Tensor) -> "_Boxes":
        """Those where bool [N] `wanted` holds, in the same order."""
        files = tuple(self.files[index] for index in wanted.nonzero().flatten().tolist())
        return _Boxes(files=files, identities=self.identities[wanted], cameras=self.cameras[wanted])


def read_reid(root: Path, *, image_size: tuple[int, int], validation_identities: int = 100) -> RetrievalDataset:
    """The data set in `root`, its images as uint8 RGB resized to `image_size` = (height, width), as (256, 128).

    With the folder bounding_box_train it is read as Market-1501 (Zheng et al., 2015; DukeMTMC-reID is laid out alike):
    detections -1 are left out everywhere, detections 0000 are distractors of the gallery. With list_train.txt it is
    read as MSMT17 (Wei et al., 2018), whose official training part is list_train with list_val, where there is one:
    that holds other images of the same persons, as published loaders have it, so it is no validation on unseen ones.

    `validation_identities` of the training persons, drawn once and for all, are held out. The first image of each of
    them in each camera is a query; all their images are the gallery, where a query's own camera does not count. All
    images are decoded into memory: 98 KB each at (256, 128). Raises FileNotFoundError where files are missing,
    ValueError where a name or a picture cannot be read, a person is in two parts, or the numbers do not fit.
    """
    if min(image_size) < 1:
        raise ValueError(f"image_size={image_size} is no (height, width) in pixels: use for example (256, 128).")
    if (root / MARKET_FOLDERS[0]).is_dir():
        official, query, gallery = _read_market(root)
    elif (root / MSMT_LISTS[0]).is_file():
        official, query, gallery = _read_msmt(root)
    else:
        raise FileNotFoundError(
            f"{root} holds neither the folder {MARKET_FOLDERS[0]} of Market-1501 and DukeMTMC-reID nor the file "
            f"{MSMT_LISTS[0]} of MSMT17: give the folder that holds one of them."
        )
    return _assemble(official, query, gallery, partial(_decode_all, image_size=image_size), validation_identities)


def _read_market(root: Path) -> tuple[_Boxes, _Boxes, _Boxes]:
    train, query, gallery = (_market_boxes(root / name) for name in MARKET_FOLDERS)
    train, query = (boxes.subset(boxes.identities > DISTRACTOR) for boxes in (train, query))
    gallery = gallery.subset(gallery.identities != JUNK)
    for boxes in (query, gallery):
        shared = torch.isin(boxes.identities, train.identities).nonzero().flatten().tolist()
        if shared:
            raise ValueError(
                f"{boxes.files[shared[0]]} shows a person who is in {MARKET_FOLDERS[0]} too: test on other persons "
                "than those trained on."
            )
    return train, query, gallery


def _market_boxes(folder: Path) -> _Boxes:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} does not exist: a data set like Market-1501 needs {', '.join(MARKET_FOLDERS)} together."
        )
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    names = [_named(MARKET_NAME, path) for path in files]
    return _boxes(folder, files, [int(name[1]) for name in names], [int(name[2]) for name in names])


def _read_msmt(root: Path) -> tuple[_Boxes, _Boxes, _Boxes]:
    folders = next((pair for pair in MSMT_FOLDERS if all((root / name).is_dir() for name in pair)), None)
    if folders is None:
        pairs = " or ".join(" and ".join(pair) for pair in MSMT_FOLDERS)
        raise FileNotFoundError(f"{root} has the lists of MSMT17 but not the folders {pairs}: put them there.")
    train, query, gallery = (_read_list(root / name) for name in MSMT_LISTS)
    validation = root / "list_val.txt"
    if validation.is_file():
        train = train + _read_list(validation)
    return (
        _msmt_boxes(root / MSMT_LISTS[0], root / folders[0], train),
        _msmt_boxes(root / MSMT_LISTS[1], root / folders[1], query),
        _msmt_boxes(root / MSMT_LISTS[2], root / folders[1], gallery),
    )


def _read_list(path: Path) -> list[tuple[str, int]]:
    """Lines of a file's path and its identity."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: MSMT17 needs {', '.join(MSMT_LISTS)} together.")
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split()
        if len(words) != 2 or not words[1].isdecimal():
            raise ValueError(
                f"{path}, line {number}, is {line!r}: write a path, a space and the number of an identity."
            )
        entries.append((words[0], int(words[1])))
    return entries


def _msmt_boxes(source: Path, folder: Path, entries: Sequence[tuple[str, int]]) -> _Boxes:
    files = [folder / name for name, _ in entries]
    cameras = [int(_named(MSMT_NAME, path)[1]) for path in files]
    return _boxes(source, files, [identity for _, identity in entries], cameras)


def _named(pattern: re.Pattern[str], path: Path) -> re.Match[str]:
    found = pattern.match(path.name)
    if found is None:
        raise ValueError(
            f"{path} does not name its camera: name images as 0002_c1s1_000451_03.jpg in the layout of Market-1501, "
            "as 0000_000_01_0303morning_0015_0.jpg in that of MSMT17."
        )
    return found


def _boxes(source: Path, files: Sequence[Path], identities: Sequence[int], cameras: Sequence[int]) -> _Boxes:
    if not files:
        raise FileNotFoundError(f"{source} holds no images: unpack the data set there again.")
    return _Boxes(files=tuple(files), identities=torch.tensor(identities), cameras=torch.tensor(cameras))


def _assemble(
    official: _Boxes,
    query: _Boxes,
    gallery: _Boxes,
    decode: Callable[[Sequence[Path]], torch.Tensor],
    validation_identities: int,
) -> RetrievalDataset:
    persons = torch.unique(official.identities)
    if not 1 <= validation_identities < len(persons):
        raise ValueError(
            f"validation_identities={validation_identities} does not fit: hold out at least 1 of the {len(persons)} "
            "training identities, and not all of them."
        )
    order = torch.randperm(len(persons), generator=torch_generator(0, "reid validation"))
    held_out, trained = persons[order[:validation_identities]], persons[order[validation_identities:]].sort().values
    # training labels lie below `offset`, validation identities from `offset`, test identities above both
    offset, test_offset = len(persons), len(persons) + int(persons.max()) + 1
    in_validation = torch.isin(official.identities, held_out)
    chosen, validation = official.subset(~in_validation), official.subset(in_validation)
    labels = torch.searchsorted(trained, chosen.identities)
    train = Split(images=decode(chosen.files), targets=labels, true_targets=labels)
    mean, std = channel_statistics(train.images)
    return RetrievalDataset(
        name="reid",
        class_names=tuple(str(person) for person in trained.tolist()),
        mean=mean,
        std=std,
        train=train,
        validation=_retrieval(validation.subset(_first_of_each_camera(validation)), validation, decode, offset),
        test=_retrieval(query, gallery, decode, test_offset),
    )


def _first_of_each_camera(boxes: _Boxes) -> torch.Tensor:
    """Bool [N]: which images are the first of their identity and camera."""
    _, groups = torch.unique(torch.stack([boxes.identities, boxes.cameras]), dim=1, return_inverse=True)
    return rank_within_class(groups) == 0


def _retrieval(
    query: _Boxes, gallery: _Boxes, decode: Callable[[Sequence[Path]], torch.Tensor], offset: int
) -> RetrievalSplit:
    return RetrievalSplit(
        query=Split(images=decode(query.files), targets=query.identities + offset),
        gallery=Split(images=decode(gallery.files), targets=gallery.identities + offset),
        query_cameras=query.cameras,
        gallery_cameras=gallery.cameras,
    )


def _decode_all(files: Sequence[Path], image_size: tuple[int, int]) -> torch.Tensor:
    images = torch.empty(len(files), 3, *image_size, dtype=torch.uint8)
    with ThreadPoolExecutor() as pool:
        for position, image in enumerate(pool.map(partial(_decode, image_size=image_size), files)):
            images[position] = image
    return images


def _decode(path: Path, image_size: tuple[int, int]) -> torch.Tensor:
    """One image as RGB uint8 [3, height, width], its sides scaled separately."""
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"Image {path} cannot be read ({error}): copy the data set again.") from error
    height, width = image_size
    return torch.from_numpy(np.array(image.resize((width, height), Image.Resampling.BILINEAR))).permute(2, 0, 1)
