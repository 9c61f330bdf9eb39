"""From a configuration to a data set for metric learning: faces, or folders for re-identification."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal, get_args

from law_rl.data.faces import read_faces
from law_rl.data.places import data_places
from law_rl.data.reid_folders import read_reid
from law_rl.data.retrieval import MEAN_AVERAGE_PRECISION, RetrievalDataset

RetrievalName = Literal["faces", "reid"]


@dataclass(frozen=True, kw_only=True)
class RetrievalDataConfig:
    """Which data set for metric learning: LFW's aligned grey faces, or a re-identification folder.

    `root`: the folder that holds the files; empty, for faces: as in DataConfig. `image_size` is (height, width) in
    pixels, for faces equal. `validation_identities` are held out of the training identities for the reward.
    """

    metric: ClassVar[str] = MEAN_AVERAGE_PRECISION
    name: RetrievalName = "faces"
    root: str = ""
    image_size: tuple[int, int] = (32, 32)
    validation_identities: int = 60

    def __post_init__(self) -> None:
        if self.name not in get_args(RetrievalName):
            raise ValueError(f"name is {self.name!r}: use one of {', '.join(get_args(RetrievalName))}")
        if self.name == "faces" and self.image_size[0] != self.image_size[1]:
            raise ValueError(f"image_size is {self.image_size}: faces are square, give the same side twice")
        if self.name == "reid" and not self.root:
            raise ValueError("root is empty: set it to the folder of the re-identification data")

    def load(self, seed: int) -> RetrievalDataset:
        """`load_retrieval` of this configuration, in which nothing is drawn anew."""
        return load_retrieval(self)


@lru_cache(maxsize=2)
def load_retrieval(config: RetrievalDataConfig) -> RetrievalDataset:
    """The data set, on the CPU; kept per process and shared between calls: copy before writing to it.

    Raises FileNotFoundError where files are missing, ValueError where they are damaged or numbers do not fit.
    """
    count = config.validation_identities
    if config.name == "faces":
        places = data_places(config.root)
        return read_faces(places, image_size=config.image_size[0], validation_identities=count)
    return read_reid(Path(config.root).expanduser(), image_size=config.image_size, validation_identities=count)
