"""Labeled Faces in the Wild (Huang et al., 2007): the aligned grey pack, and retrieval among identities held out."""

import io
import itertools
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from law_rl.counters import torch_generator
from law_rl.data.dataset import Split, channel_statistics
from law_rl.data.node_cache import Content, cache_folder, cache_key, load_once
from law_rl.data.retrieval import RetrievalDataset, RetrievalSplit
from law_rl.data.splits import rank_within_class

PACK = Path("faces") / "lfwa_gray112.npz"
TEST_FOLDS = (8, 9)
"""The folds of the official View 2, counted from 0, whose persons are kept for testing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LfwPack:
    """All faces, and the verification protocol of View 2, whose ten folds share no person.

    `images` uint8 [N, 1, S, S], `person` int64 [N] in [0, P), `image_no` int64 [N], the number of the image among its
    person's; `pairs` int64 [V, 2], indices of images, `pair_same` bool [V], `pair_fold` int64 [V];
    `person_fold` int64 [P], -1 for a person in no pair.
    """

    images: torch.Tensor
    person: torch.Tensor
    image_no: torch.Tensor
    pairs: torch.Tensor
    pair_same: torch.Tensor
    pair_fold: torch.Tensor
    person_fold: torch.Tensor


def read_lfw_pack(path: Path, image_size: int) -> LfwPack:
    """The faces of the .npz file, 112 x 112, as luma of side `image_size`, resized with a triangle filter.

    Where $LAW_RL_NODE_CACHE names a folder, the first process of the node decodes and all share the memory: copy
    before writing to it. Raises FileNotFoundError for a missing file, ValueError for a damaged one.
    """
    folder = cache_folder()
    if folder is None:
        return LfwPack(**_decode(path, image_size))
    key = cache_key(("lfw pack", path, image_size), [path])
    return LfwPack(**load_once(folder, key, lambda: Content(tensors=_decode(path, image_size), texts={})).tensors)


def _decode(path: Path, image_size: int) -> dict[str, torch.Tensor]:
    if image_size < 1:
        raise ValueError(f"image_size={image_size} is no side in pixels: use for example 32, at most 112.")
    if not path.is_file():
        raise FileNotFoundError(f"The faces {path} do not exist: put the pack there.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = ("person", "image_no", "pair_fold", "person_fold")
            tensors = {name: torch.from_numpy(arrays[name].astype(np.int64)) for name in names}
            pairs = np.stack([arrays["pair_a"], arrays["pair_b"]], axis=1)
            blob, offsets, same = arrays["blobs"].tobytes(), arrays["offsets"].tolist(), arrays["pair_same"]
        pictures = [blob[start:end] for start, end in itertools.pairwise(offsets)]
        if len(pictures) != len(tensors["person"]):
            raise ValueError(f"{len(pictures)} images and {len(tensors['person'])} persons")
        images = _decode_all(pictures, image_size)
    except (KeyError, ValueError, OSError, EOFError, SyntaxError, zipfile.BadZipFile) as error:
        raise ValueError(f"The faces in {path} cannot be read ({error}): copy the file again.") from error
    tensors |= {"pairs": torch.from_numpy(pairs.astype(np.int64)), "pair_same": torch.from_numpy(same.astype(np.bool_))}
    return tensors | {"images": images}


def _decode_all(pictures: Sequence[bytes], image_size: int) -> torch.Tensor:
    def decode(picture: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(picture)) as image:
            return np.asarray(image.convert("L").resize((image_size, image_size), Image.Resampling.BILINEAR))

    with ThreadPoolExecutor() as pool:
        return torch.from_numpy(np.stack(list(pool.map(decode, pictures)))).unsqueeze(1)


def read_faces(
    places: Sequence[Path], *, image_size: int, per_identity: int = 4, validation_identities: int = 60
) -> RetrievalDataset:
    """`face_retrieval` of the pack faces/lfwa_gray112.npz in the first of `places` that has it.

    Kept per process and shared between calls: copy before writing. Raises FileNotFoundError where no place has it.
    """
    for place in places:
        if (place / PACK).is_file():
            return _read_faces(place / PACK, image_size, per_identity, validation_identities)
    raise FileNotFoundError(
        f"The faces were not found: looked for {PACK} in {', '.join(str(place) for place in places)}; put it there, or "
        "set the environment variable LAW_RL_DATA to the folder that holds faces/."
    )


@lru_cache(maxsize=4)
def _read_faces(path: Path, image_size: int, per_identity: int, validation_identities: int) -> RetrievalDataset:
    return face_retrieval(
        read_lfw_pack(path, image_size), per_identity=per_identity, validation_identities=validation_identities
    )


def face_retrieval(pack: LfwPack, *, per_identity: int, validation_identities: int) -> RetrievalDataset:
    """Training, validation and test images of different persons; the split depends on nothing but the arguments.

    Test: the persons of folds 8 and 9 with at least two images. Their image with the smallest number is the query, the
    others are the gallery, with the persons of one image in these folds as distractors. Training and validation: the
    persons outside these folds, in no pair too, with at least `per_identity` images, of whom `validation_identities`,
    drawn once and for all, are for validation. Their gallery is filled with persons of one image outside these folds
    (drawn too) to the size of the test gallery, as far as there are so many, so that a query meets as many wrong
    faces. Raises ValueError for numbers that leave training or validation empty.
    """
    sizes = torch.bincount(pack.person, minlength=len(pack.person_fold))
    in_test = torch.isin(pack.person_fold, torch.tensor(TEST_FOLDS))
    usable = _shuffled((~in_test & (sizes >= per_identity)).nonzero().flatten(), "face validation")
    if per_identity < 2 or not 1 <= validation_identities < len(usable):
        raise ValueError(
            f"per_identity={per_identity} and validation_identities={validation_identities} do not fit: of "
            f"{len(usable)} persons with so many images outside the test folds at least one must be left for each of "
            "training and validation, and a person needs 2 images to be found again."
        )
    trained, held_out = usable[validation_identities:].sort().values, usable[:validation_identities]
    test = _retrieval(pack, (in_test & (sizes >= 2)).nonzero().flatten(), (in_test & (sizes == 1)).nonzero().flatten())
    singles = _shuffled((~in_test & (sizes == 1)).nonzero().flatten(), "face distractors")
    wanted = max(0, len(test.gallery) - int((sizes[held_out] - 1).sum()))
    chosen = torch.isin(pack.person, trained).nonzero().flatten()
    labels = torch.searchsorted(trained, pack.person[chosen])
    train = Split(images=pack.images[chosen], targets=labels, true_targets=labels)
    mean, std = channel_statistics(train.images)
    return RetrievalDataset(
        name="lfw",
        class_names=tuple(str(person) for person in trained.tolist()),
        mean=mean,
        std=std,
        train=train,
        validation=_retrieval(pack, held_out, singles[:wanted]),
        test=test,
    )


def _shuffled(persons: torch.Tensor, purpose: str) -> torch.Tensor:
    return persons[torch.randperm(len(persons), generator=torch_generator(0, purpose))]


def _retrieval(pack: LfwPack, searched: torch.Tensor, distractors: torch.Tensor) -> RetrievalSplit:
    """Person p gets the identity P + p, because training labels take numbers from 0 below P."""
    by_number = torch.argsort(pack.image_no, stable=True)
    first = torch.empty(len(by_number), dtype=torch.bool)
    first[by_number] = rank_within_class(pack.person[by_number]) == 0
    searched_images = torch.isin(pack.person, searched)
    query = searched_images & first
    gallery = (searched_images & ~first) | torch.isin(pack.person, distractors)
    identities = pack.person + len(pack.person_fold)
    return RetrievalSplit(
        query=Split(images=pack.images[query], targets=identities[query]),
        gallery=Split(images=pack.images[gallery], targets=identities[gallery]),
    )
