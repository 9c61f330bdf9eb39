"""Encoded faces that stay on the disk: what a folder or a .rec file holds, decoded a batch at a time."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from law_rl.data.folders import ENDINGS
from law_rl.face.data.alignment import align
from law_rl.face.data.identity_folders import images_of_identities
from law_rl.face.data.images import decode_face, read_face
from law_rl.face.data.records import Records

AHEAD = 2
"""So many batches are decoded while one is used."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedFaces:
    """`content(i)` gives image i of `count`, encoded or its file, and what errors call it; threads may call it.

    `names` are paths inside the folder, None for records, which have no names; `identities` int64 [N] are indices of
    `identity_names`, None where nothing says who is shown.
    """

    count: int
    content: Callable[[int], tuple[bytes | Path, str]]
    names: tuple[str, ...] | None = None
    identities: Tensor | None = None
    identity_names: tuple[str, ...] = ()


def open_faces(path: Path) -> EncodedFaces:
    """The images of a .rec file, of folders one for each identity, or of a folder that holds nothing but images.

    Only listed here. Raises FileNotFoundError where there is no image, ValueError for a damaged .rec file and for a
    folder that holds images beside folders of images.
    """
    if path.suffix.lower() == ".rec":
        return _records(path)
    if not path.is_dir():
        raise FileNotFoundError(f"There are no images at {path}: give a folder of images, or a .rec file")
    alone = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
    if not alone:
        return _folders(images_of_identities(path))
    inside = next((file for file in path.glob("*/*") if file.suffix.lower() in ENDINGS), None)
    if inside is not None:
        raise ValueError(
            f"{path} holds images ({alone[0].name}) beside folders of images ({inside.parent.name}): give a folder for "
            "each identity, or images alone"
        )
    return listed_faces(path, tuple(file.name for file in alone))


def listed_faces(root: Path, names: tuple[str, ...]) -> EncodedFaces:
    """The images `root`/<name>, in this order; whether they exist is seen when they are decoded."""
    return EncodedFaces(count=len(names), content=lambda index: (root / names[index], ""), names=names)


def _folders(found: Mapping[str, list[Path]]) -> EncodedFaces:
    files = list(itertools.chain.from_iterable(found.values()))
    sizes = torch.tensor([len(each) for each in found.values()])
    return EncodedFaces(
        count=len(files),
        content=lambda index: (files[index], ""),
        names=tuple(f"{file.parent.name}/{file.name}" for file in files),
        identities=torch.repeat_interleave(torch.arange(len(found)), sizes),
        identity_names=tuple(found),
    )


def _records(path: Path) -> EncodedFaces:
    records = Records(path)
    labels, identities = torch.unique(records.labels(), return_inverse=True)
    return EncodedFaces(
        count=len(records),
        content=lambda index: (records.read(index)[1], records.name(index)),
        identities=identities,
        identity_names=tuple(str(label) for label in labels.tolist()),
    )


Decode = Callable[[int], Tensor]
"""Image i as uint8 [C, S, S]; ValueError or FileNotFoundError, one sentence that names it, where that fails."""


def decoder(
    faces: EncodedFaces, *, size: int, channels: int, landmarks: Mapping[str, np.ndarray] | None = None
) -> Decode:
    """Decodes the images, resized whole; with `landmarks` by name, as `read_landmarks` gives them, aligned instead.

    Raises ValueError where there are landmarks, and no names to find them by.
    """
    if landmarks is None:
        return lambda index: _resized(faces, index, size, channels)
    names = faces.names
    if names is None:
        raise ValueError("landmarks are found by the names of images, and records have none: leave the landmarks out")
    return lambda index: _aligned(faces, index, size, channels, names[index], landmarks)


def _resized(faces: EncodedFaces, index: int, size: int, channels: int) -> Tensor:
    content, called = faces.content(index)
    return decode_face(content, size=size, channels=channels, name=called)


def _aligned(
    faces: EncodedFaces, index: int, size: int, channels: int, name: str, landmarks: Mapping[str, np.ndarray]
) -> Tensor:
    if name not in landmarks:
        raise ValueError(f"Image {name} has no landmarks: add its line to the CSV, or leave it out")
    content, called = faces.content(index)
    image = read_face(content, channels=channels, name=called)
    try:
        return align(image, landmarks[name], size)
    except ValueError as error:
        raise ValueError(f"Image {name} cannot be aligned: {error}") from error


def decoded_batches(
    count: int, decode: Decode, batch: int, skipped: list[str] | None = None
) -> Iterator[tuple[list[int], Tensor]]:
    """The indices and images uint8 [B, C, S, S] of batches of images 0, 1, ... count - 1, decoded ahead by threads.

    With a list `skipped`, images that cannot be read are left out, and what is wrong with each is added to it; without
    one the first raises. At most a few batches are in memory.
    """

    def attempt(index: int) -> Tensor | Exception:
        try:
            return decode(index)
        except (ValueError, OSError) as error:
            return error

    waiting: deque[tuple[int, Iterator[Tensor | Exception]]] = deque()
    with ThreadPoolExecutor() as pool:
        for start in range(0, count, batch):
            waiting.append((start, pool.map(attempt, range(start, min(start + batch, count)))))
            if len(waiting) > AHEAD:
                yield from _kept(*waiting.popleft(), skipped)
        while waiting:
            yield from _kept(*waiting.popleft(), skipped)


def _kept(
    start: int, results: Iterator[Tensor | Exception], skipped: list[str] | None
) -> Iterator[tuple[list[int], Tensor]]:
    """The batch, unless no image of it can be read."""
    rows, images = [], []
    for index, result in enumerate(results, start):
        if isinstance(result, Tensor):
            rows.append(index)
            images.append(result)
        elif skipped is None:
            raise result
        else:
            skipped.append(str(result))
    if rows:
        yield rows, torch.stack(images)
