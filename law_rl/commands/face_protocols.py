"""Face protocols that list what to compare: pairs in folds, as of LFW, and pairs of templates, as of IJB-C."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from law_rl.commands.face_systems import BATCH, Observer
from law_rl.face.data.encoded_faces import decoded_batches, decoder, listed_faces
from law_rl.face.data.pair_set import PairSet
from law_rl.face.embedder import Embedder
from law_rl.face.evaluation.folds import FoldAccuracy, fold_accuracy
from law_rl.face.evaluation.pairs import listed_scores
from law_rl.face.evaluation.rates import Floats, percentages
from law_rl.face.evaluation.template_files import read_template_list, read_template_pairs
from law_rl.face.evaluation.templates import template_scores


def accuracy_by_folds(embedder: Embedder, pairs: PairSet, observer: Observer) -> list[FoldAccuracy]:
    """The accuracy by insightface's rule, with mirror images, and by FaceX-Zoo's, without; of a plain embedder."""
    plain, mirrored = [], []
    for part in torch.split(pairs.images, BATCH):
        plain.append(embedder(part))
        mirrored.append(plain[-1] + embedder(part.flip(-1)))
        observer(min(len(plain) * BATCH, len(pairs.images)), len(pairs.images))
    same, fold = pairs.same.numpy(), pairs.fold.numpy()
    return [
        fold_accuracy(_scores(mirrored, pairs), same, fold, "insightface"),
        fold_accuracy(_scores(plain, pairs), same, fold, "facex_zoo"),
    ]


def _scores(embeddings: list[Tensor], pairs: PairSet) -> Floats:
    return listed_scores(torch.cat(embeddings), pairs.pairs)


def template_rates(
    embedder: Embedder, root: Path, listed: Path, pairs: Path, fars: Sequence[float], observer: Observer
) -> dict[str, float]:
    """ "TAR@0.001" for each of `fars` and "EER", in percent, of the pairs of templates; the images lie in `root`.

    Raises what reading the lists and the images raises.
    """
    images, wanted = read_template_list(listed), read_template_pairs(pairs)
    faces = listed_faces(root, images.images)
    decode = decoder(faces, size=embedder.size, channels=embedder.channels)
    embeddings = []
    for rows, batch in decoded_batches(faces.count, decode, BATCH):
        embeddings.append(embedder(batch))
        observer(rows[-1] + 1, faces.count)
    scores = template_scores(torch.cat(embeddings), images, wanted)
    return percentages(scores.genuine, scores.impostor, fars)
