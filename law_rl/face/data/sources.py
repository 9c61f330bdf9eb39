"""From a configuration to faces cut by identity."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import torch

from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import Split
from law_rl.data.faces import PACK, TEST_FOLDS, LfwPack, read_lfw_pack
from law_rl.data.places import data_places
from law_rl.face.data.face_dataset import FaceDataset, tar_name
from law_rl.face.data.held_out import draw_identities, split_identities
from law_rl.face.data.identity_folders import read_identity_folders
from law_rl.face.data.images import FaceImages
from law_rl.face.data.pair_set import PairSet
from law_rl.face.data.records import read_records
from law_rl.face.data.synthetic import SyntheticConfig, synthetic_faces

FaceSource = Literal["synthetic", "lfw", "folders", "records"]
SYNTHETIC_PERSONS, SYNTHETIC_IMAGES = 400, 10


@dataclass(frozen=True, kw_only=True)
class FaceDataConfig:
    """Which faces, and how they are cut by identity.

    `name`: "synthetic" drawings, which stand for no person and need no file; "lfw", the pack faces/lfwa_gray112.npz;
    "folders", one a person; "records", MXNet's train.rec with train.idx. `root`: the folder that holds the files, or
    the .rec file; empty, for lfw: as in DataConfig. `image_size` is the side in pixels, `grey` drops colours.

    Persons with fewer than `least` images are not trained on. `validation_identities` feed the reward and
    `test_identities` no search; for lfw the test persons are those of the official folds 9 and 10. A held-out person
    shows at most `most` images. `far` is the false acceptance rate of the metric.

    `copies` versions of each training image, changed as `augment` says, are added to it once and for all: a teacher
    then looks at each image once, where augmentation in the training would ask it anew for every batch.
    """

    name: FaceSource = "synthetic"
    root: str = ""
    image_size: int = 48
    grey: bool = True
    least: int = 4
    most: int = 10
    validation_identities: int = 60
    test_identities: int = 100
    far: float = 0.01
    copies: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if self.name not in get_args(FaceSource):
            raise ValueError(f"name is {self.name!r}: use one of {', '.join(get_args(FaceSource))}")
        if self.name in ("folders", "records") and not self.root:
            raise ValueError(f"root is empty: set it to where the {self.name} are")
        if not 16 <= self.image_size <= 1024:
            raise ValueError(f"image_size is {self.image_size}: give a side from 16 to 1024 pixels (112 is usual)")
        if self.least < 2 or self.most < 2:
            raise ValueError(f"least is {self.least} and most {self.most}: give at least 2 images of a person")
        if self.validation_identities < 2 or self.test_identities < 2:
            raise ValueError(
                f"validation_identities is {self.validation_identities} and test_identities {self.test_identities}: "
                "give at least 2 persons each, an impostor pair needs them"
            )
        if self.copies < 0 or (self.copies > 0) != self.augment.changes:
            raise ValueError(
                f"copies is {self.copies} and augment {self.augment}: give a number of copies and how they are "
                "changed, or neither"
            )
        if not 0 < self.far < 1:
            raise ValueError(f"far is {self.far}: give a false acceptance rate above 0 and below 1 (0.01 is usual)")

    @property
    def metric(self) -> str:
        return tar_name(self.far)

    @property
    def channels(self) -> Literal[1, 3]:
        return 1 if self.grey else 3

    def load(self, seed: int) -> FaceDataset:
        """The data set, on the CPU, in which nothing is drawn anew; kept per process: copy before writing to it.

        Raises FileNotFoundError where files are missing, ValueError where they are damaged or numbers do not fit.
        """
        return _load(self, data_places(self.root))


@lru_cache(maxsize=2)
def _load(config: FaceDataConfig, places: tuple[Path, ...]) -> FaceDataset:
    match config.name:
        case "synthetic":
            return _cut(config, _synthetic(config))
        case "lfw":
            return _lfw(config, places)
        case "folders":
            return _cut(config, read_identity_folders(places[0], size=config.image_size, channels=config.channels))
        case "records":
            return _cut(config, read_records(places[0], size=config.image_size, channels=config.channels))


def _synthetic(config: FaceDataConfig) -> FaceImages:
    drawn = SyntheticConfig(identities=SYNTHETIC_PERSONS, per_identity=SYNTHETIC_IMAGES, size=config.image_size)
    images, identities = synthetic_faces(drawn)
    images = images if config.grey else images.expand(-1, 3, -1, -1).contiguous()
    names = tuple(f"synthetic {number}" for number in range(SYNTHETIC_PERSONS))
    return FaceImages(images=images, identities=identities, names=names)


def _cut(config: FaceDataConfig, faces: FaceImages) -> FaceDataset:
    """Validation and test persons drawn from those with two images or more."""
    sizes = torch.bincount(faces.identities, minlength=len(faces.names))
    several = (sizes >= 2).nonzero().flatten()
    test = draw_identities(several, config.test_identities, "test_identities")
    rest = several[~torch.isin(several, test)]
    validation = draw_identities(rest, config.validation_identities, "validation_identities")
    split = Split(images=faces.images, targets=faces.identities)
    return _split(config, split, faces.names, validation=validation, test=test)


def _lfw(config: FaceDataConfig, places: tuple[Path, ...]) -> FaceDataset:
    """Test persons are those of folds 9 and 10, who are in no other; validation is drawn from the rest."""
    found = next((place / PACK for place in places if (place / PACK).is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"The faces were not found: looked for {PACK} in {', '.join(str(place) for place in places)}; put it "
            "there, or set the environment variable LAW_RL_DATA to the folder that holds faces/."
        )
    pack = read_lfw_pack(found, config.image_size)
    images = pack.images if config.grey else pack.images.expand(-1, 3, -1, -1).contiguous()
    sizes = torch.bincount(pack.person, minlength=len(pack.person_fold))
    in_test = torch.isin(pack.person_fold, torch.tensor(TEST_FOLDS))
    several = (~in_test & (sizes >= max(config.least, 2))).nonzero().flatten()
    validation = draw_identities(several, config.validation_identities, "validation_identities")
    names = tuple(f"person {number}" for number in range(len(sizes)))
    by_number = torch.argsort(pack.image_no, stable=True)
    faces = Split(images=images[by_number], targets=pack.person[by_number])
    test, protocol = (in_test & (sizes >= 2)).nonzero().flatten(), _official_pairs(pack, images)
    return _split(config, faces, names, validation=validation, test=test, protocol=protocol)


def _official_pairs(pack: LfwPack, images: torch.Tensor) -> PairSet:
    """The official pairs of the test folds, with the images that they need."""
    chosen = torch.isin(pack.pair_fold, torch.tensor(TEST_FOLDS))
    needed, ends = torch.unique(pack.pairs[chosen], return_inverse=True)
    return PairSet(images=images[needed], pairs=ends, same=pack.pair_same[chosen], fold=pack.pair_fold[chosen])


def _split(
    config: FaceDataConfig,
    faces: Split,
    names: tuple[str, ...],
    *,
    validation: torch.Tensor,
    test: torch.Tensor,
    protocol: PairSet | None = None,
) -> FaceDataset:
    return split_identities(
        config.name,
        faces,
        names,
        far=config.far,
        least=config.least,
        most=config.most,
        validation=validation,
        test=test,
        copies=config.augment,
        count=config.copies,
        protocol=protocol,
    )
