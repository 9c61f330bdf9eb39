"""Faces in MXNet's record files (train.rec with train.idx), read without MXNet."""

import struct
from pathlib import Path

import numpy as np
import torch

from law_rl.face.data.images import FaceImages, decode_faces
from law_rl.face.data.record_file import HEADER, LABEL, RecordFile

LARGEST_LABEL = 2**31


class Records:
    """The images of a .rec file, which stays on disk; it may be read from several threads.

    Where record 0 lists labels, the first of them ends the images: they are the records from 1 below it, as in the
    published training sets, whose further records say which images a person has. Else every record is an image.
    Raises FileNotFoundError for a missing file and ValueError for a damaged one; `RecordFile` says when.
    """

    def __init__(self, path: Path) -> None:
        self._file = RecordFile(path)
        self._images = _image_positions(self._file)

    def __len__(self) -> int:
        return len(self._images)

    def labels(self) -> torch.Tensor:
        """The label of each image, int64 [N]: numbers of identities, as they stand in the file."""
        labels, _ = self._file.labels(self._images)
        sound = (np.floor(labels) == labels) & (labels >= 0) & (labels < LARGEST_LABEL)
        if not sound.all():
            wrong = int(sound.argmin())
            raise ValueError(
                f"The {self.name(wrong)} has the label {labels[wrong]}: pack the number of an identity, from 0"
            )
        return torch.from_numpy(labels.astype(np.int64))

    def read(self, index: int) -> tuple[float, bytes]:
        """The label of image `index`, as it stands in the file, and its encoded bytes."""
        content = self._file.content(self._images[index])
        if len(content) >= HEADER:
            listed, label = struct.unpack_from("<If", content)
            start = HEADER + LABEL * listed
            if start <= len(content):
                return (struct.unpack_from("<f", content, HEADER)[0] if listed else label), content[start:]
        raise ValueError(f"The {self.name(index)} is shorter than its header says: copy the file again")

    def name(self, index: int) -> str:
        """What errors call image `index`."""
        return self._file.name(self._images[index])


def read_records(path: Path, *, size: int, channels: int, least: int = 1, limit: int | None = None) -> FaceImages:
    """The faces of a .rec file resized to `size`, in its order; identities are named by their labels.

    Identities with fewer than `least` images are left out; of the others the first `limit` are read, in the order of
    their labels, because all of a large set may not fit into memory: an image takes C S^2 bytes. Raises what
    `Records` and `decode_face` raise, and ValueError where no identity is left.
    """
    if least < 1 or (limit is not None and limit < 1):
        raise ValueError(f"least is {least} and limit {limit}: give numbers of images and of identities, 1 or more")
    records = Records(path)
    values, persons, counts = torch.unique(records.labels(), return_inverse=True, return_counts=True)
    kept = (counts >= least).nonzero().flatten()[:limit]
    if not len(kept):
        raise ValueError(f"No identity of {path} has {least} images, the most are {int(counts.max())}: lower least")
    chosen = torch.isin(persons, kept).nonzero().flatten()
    indices = chosen.tolist()

    def content(position: int) -> tuple[bytes, str]:
        index = indices[position]
        return records.read(index)[1], records.name(index)

    return FaceImages(
        images=decode_faces(len(indices), content, size=size, channels=channels),
        identities=torch.searchsorted(kept, persons[chosen]),
        names=tuple(str(value) for value in values[kept].tolist()),
    )


def _image_positions(file: RecordFile) -> range:
    every = range(len(file.keys))
    labels, listed = file.labels(every[:1])
    if file.keys[0] != 0 or listed[0] == 0:
        return every
    end = float(labels[0])
    start, stop = np.searchsorted(file.keys, (1, end)).tolist()
    if not 0 < end - 1 == stop - start:
        raise ValueError(
            f"{file.path} is said by its record 0 to hold the images from 1 below {end:g}, and its index lists "
            f"{stop - start} of them: copy both files again"
        )
    return every[start:stop]
