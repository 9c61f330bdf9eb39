"""What a face evaluation compares: the scores of all pairs of images, of files of embeddings or of a network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.data.mask_faces import mask_faces
from law_rl.face.data.encoded_faces import decoded_batches, decoder, open_faces
from law_rl.face.embedder import Embedder
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.evaluation.identification import identification_rate
from law_rl.face.evaluation.masked import masked_scores
from law_rl.face.evaluation.pairs import PairScores, pair_scores

BATCH = 256
MOST_IMAGES = 20_000
"""All pairs of so many images take 2.4 GB, and again while they are sorted."""

Observer = Callable[[int, int], None]
"""Is told how many images are done, and how many there are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """The scores of all pairs of images, and in percent how often an image finds another of its person among those of
    all others; None where that is not measured.
    """

    scores: PairScores
    rank_1: float | None


def systems_of_files(paths: Sequence[Path]) -> tuple[dict[str, System], bool]:
    """The systems of files of embeddings, by the names of the files, and whether all hold the same images.

    Raises ValueError for a file without identities or with more images than can be compared.
    """
    files = [EmbeddingFile.open(path) for path in paths]
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    systems = {}
    for name, file in zip(names, files, strict=True):
        _check_count(str(file.path), len(file))
        systems[name] = _system(file.rows(0, len(file)), file.identities())
    return systems, all(_same_images(files[0], other) for other in files[1:])


def systems_of_network(embedder: Embedder, data: Path, *, masked: bool, observer: Observer) -> dict[str, System]:
    """The system of a network on the images of identities; with `masked` also of faces on which masks are drawn.

    Raises ValueError where nothing says whose the images are, and what reading them raises.
    """
    faces = open_faces(data)
    if faces.identities is None:
        raise ValueError(f"{data} does not say whose its images are: give a folder for each identity, or a .rec file")
    _check_count(str(data), faces.count)
    decode = decoder(faces, size=embedder.size, channels=embedder.channels)
    plain, covered = [], []
    for rows, images in decoded_batches(faces.count, decode, BATCH):
        plain.append(embedder(images))
        if masked:
            covered.append(embedder(mask_faces(images, torch_generator(0, "masked faces", rows[0]))))
        observer(rows[-1] + 1, faces.count)
    identities = faces.identities.to(embedder.device)
    if not masked:
        return {"network": _system(torch.cat(plain), identities)}
    return _masked_systems(torch.cat(plain), torch.cat(covered), identities)


def _masked_systems(plain: Tensor, masked: Tensor, identities: Tensor) -> dict[str, System]:
    ranks: Mapping[str, Tensor] = {"plain-plain": plain, "masked-masked": masked}
    return {
        name: System(scores=scores, rank_1=_rank_1(ranks[name], identities) if name in ranks else None)
        for name, scores in masked_scores(plain, masked, identities).items()
    }


def _system(embeddings: Tensor, identities: Tensor) -> System:
    return System(scores=pair_scores(embeddings, identities), rank_1=_rank_1(embeddings, identities))


def _rank_1(embeddings: Tensor, identities: Tensor) -> float:
    return 100.0 * identification_rate(embeddings, identities)


def _check_count(name: str, count: int) -> None:
    if count > MOST_IMAGES:
        raise ValueError(
            f"{name} has {count:,} images, whose pairs are too many to compare all: give at most {MOST_IMAGES:,}, or "
            "measure on listed pairs (--lfw, --bin, --templates)"
        )


def _same_images(one: EmbeddingFile, other: EmbeddingFile) -> bool:
    """Whether two files hold the same images in one order, as far as their identities and names tell."""
    if len(one) != len(other) or not torch.equal(one.identities(), other.identities()):
        return False
    if not (one.has_image_names and other.has_image_names):
        return True
    rows = range(len(one))
    return one.image_names(rows) == other.image_names(rows)
