"""What `law-rl face align` compares: faces, the pairs of them, whose they are, and the file of the scores."""

import csv
import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.commands.face_arguments import FaceAlignCommand
from law_rl.face.data.named_pairs import ENDS, SAME, linked_persons, read_named_pairs
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.ida.aligned_pairs import AlignedPairs, align_all, align_listed
from law_rl.face.ida.aligner import ScoreAligner

MOST_IMAGES, MOST_LINES = 5_000, 2_000_000
"""All pairs of so many images take 2 GB to measure, and so many lines of a CSV some 200 MB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """The faces that are compared: embeddings float32 [N, D], and where the file has them names and identities [N].

    `listed` int64 [V, 2] are the pairs of a list, of which these faces are all, and `same` bool [V] what it says of
    them; None for all pairs.
    """

    embeddings: Tensor
    names: list[str]
    identities: NDArray[np.int64] | None
    listed: Tensor | None = None
    same: NDArray[np.bool_] | None = None

    @property
    def answered(self) -> bool:
        """Whether it is known which pairs are of one person."""
        return self.identities is not None or self.same is not None


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Whose images they are: `persons` int64 [N], and which pairs [V] are of the `same` one."""

    persons: NDArray[np.int64]
    same: NDArray[np.bool_]


def compared_faces(command: FaceAlignCommand, file: EmbeddingFile) -> Compared:
    """All faces of the file, or those in the listed pairs; ValueError where all pairs are too many, or pairs name other
    images.
    """
    identities = file.identities().numpy() if file.has_identities else None
    if command.pairs is None:
        _check_count(command, len(file))
        names = file.image_names(range(len(file))) if file.has_image_names else [str(k) for k in range(len(file))]
        return Compared(embeddings=file.rows(0, len(file)).float(), names=names, identities=identities)
    pairs, names = read_named_pairs(command.pairs), file.image_names(range(len(file)))
    rows, listed = torch.unique(pairs.rows(names, file.path), return_inverse=True)
    return Compared(
        embeddings=file.rows(0, len(file))[rows].float(),
        names=[names[row] for row in rows.tolist()],
        identities=None if identities is None else identities[rows.numpy()],
        listed=listed,
        same=pairs.same,
    )


def _check_count(command: FaceAlignCommand, images: int) -> None:
    if images > MOST_IMAGES:
        raise ValueError(
            f"{command.embeddings} has {images:,} images, whose pairs are too many to compare all: give at most "
            f"{MOST_IMAGES:,}, or list those that count with --pairs"
        )
    lines = images * (images - 1) // 2
    if command.out is not None and lines > MOST_LINES:
        raise ValueError(
            f"--out takes a line a pair, and {images:,} images have {lines:,}: list those that count with --pairs"
        )


def compare(faces: Compared, aligner: ScoreAligner) -> AlignedPairs:
    """The pairs before and after."""
    if faces.listed is None:
        return align_all(faces.embeddings, aligner)
    return align_listed(faces.embeddings, faces.listed, aligner)


def truth_of(faces: Compared, pairs: AlignedPairs) -> Truth | None:
    """By the identities in the file or else by what the list says; None where neither does.

    Raises ValueError where the two, or pairs of the list, contradict one another.
    """
    if faces.identities is None:
        if faces.same is None:
            return None
        return Truth(persons=linked_persons(pairs.rows, faces.same, len(faces.names)), same=faces.same)
    persons = faces.identities[pairs.rows]
    same = persons[:, 0] == persons[:, 1]
    if faces.same is not None and (wrong := same != faces.same).any():
        first, second = (faces.names[row] for row in pairs.rows[wrong.argmax()])
        raise ValueError(
            f"of {first} and {second} the pairs say another thing than the identities of the embeddings: correct the "
            "column same"
        )
    return Truth(persons=faces.identities, same=same)


def comma_separated(faces: Compared, pairs: AlignedPairs, truth: Truth | None) -> str:
    """One line a pair, which --pairs reads again."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*ENDS, *([SAME] if truth else []), "cosine", "aligned"])
    answers = [[]] * len(pairs) if truth is None else [[int(each)] for each in truth.same]
    scores = zip(pairs.cosine, pairs.aligned, strict=True)
    for (first, second), answer, (cosine, aligned) in zip(pairs.rows.tolist(), answers, scores, strict=True):
        writer.writerow([faces.names[first], faces.names[second], *answer, f"{cosine:.7g}", f"{aligned:.7g}"])
    return text.getvalue()
