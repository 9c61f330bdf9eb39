"""Photographs as they are read: a folder's pictures, or the two that scikit-learn carries, with parts held out."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from law_rl.data.folders import ENDINGS
from law_rl.data.places import data_places

BSDS = Path("bsds") / "train"
EVERY = 20
"""One photograph of so many is held out, and one at least."""

SAMPLES = "scikit-learn's sample photographs"
TERMS = {
    SAMPLES: "CC BY 2.0: china.jpg and flower.jpg as scikit-learn publishes them.",
    "bsds/train": "Non-commercial research and education: Berkeley Segmentation Data Set; cite Arbelaez et al., 2011.",
}
FOREIGN = "Those of the pictures in the folder, which law-rl does not know: ask their owner."


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotographFiles:
    """Decoded photographs, uint8 [H, W, 3] of any sizes, apart for training and for validation."""

    name: str
    terms: str
    train: tuple[NDArray[np.uint8], ...]
    validation: tuple[NDArray[np.uint8], ...]

    def content_hash(self) -> str:
        """A hash of every pixel and of which photographs are held out."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation):
            digest.update(f"{len(part)};".encode())
            for image in part:
                digest.update(f"{image.shape};".encode())
                digest.update(image.tobytes())
        return digest.hexdigest()[:16]


def sample_photographs() -> PhotographFiles:
    """The photographs that come with scikit-learn: china.jpg to train on, flower.jpg held out, 640 x 427 each."""
    from sklearn.datasets import load_sample_images

    china, flower = (np.asarray(image, np.uint8) for image in load_sample_images().images)
    return PhotographFiles(name=SAMPLES, terms=TERMS[SAMPLES], train=(china,), validation=(flower,))


def read_photographs(folders: Sequence[Path], *, most_short_side: int = 1024) -> PhotographFiles:
    """All pictures in and under the folders as RGB, in the order of their paths; every 20th is held out.

    A photograph whose short side is longer than `most_short_side` is scaled down to it, turned as its EXIF says.
    Raises FileNotFoundError for a folder that is not there, ValueError where there are fewer than two pictures, or one
    cannot be read.
    """
    paths = [path for folder in folders for path in _pictures(folder)]
    if len(paths) < 2:
        raise ValueError(
            f"{_listed(folders)} holds {len(paths)} pictures: give two at least, of which one is held out."
        )
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(partial(_decode, most_short_side=most_short_side), paths))
    held = set(range(EVERY - 1, len(images), EVERY)) or {len(images) - 1}
    names = [_name(folder) for folder in folders]
    return PhotographFiles(
        name=" and ".join(names),
        terms=" ".join(dict.fromkeys(TERMS.get(name, FOREIGN) for name in names)),
        train=tuple(image for index, image in enumerate(images) if index not in held),
        validation=tuple(image for index, image in enumerate(images) if index in held),
    )


def bsds_folder(root: str = "") -> Path:
    """Where the training photographs of BSDS500 lie, below `root` or the usual places of data."""
    places = data_places(root)
    found = next((place / BSDS for place in places if (place / BSDS).is_dir()), None)
    if found is None:
        raise FileNotFoundError(
            f"No folder {BSDS} in {_listed(places)}: set LAW_RL_DATA to the folder that holds it, or give a folder of "
            "your own pictures."
        )
    return found


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder {folder} does not exist: give a folder of pictures.")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())


def _decode(path: Path, *, most_short_side: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"Picture {path} cannot be read ({error}): repair it or take it out of the folder.") from error
    share = most_short_side / min(image.size)
    return np.asarray(scaled(image, share) if share < 1 else image)


def scaled(image: Image.Image, share: float) -> Image.Image:
    """The image with both sides multiplied by `share`, by Lanczos resampling."""
    width, height = (max(1, round(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _name(folder: Path) -> str:
    """What a folder is called where no path of this machine shall be told."""
    whole = folder.expanduser().absolute()
    return BSDS.as_posix() if whole.parts[-2:] == BSDS.parts else whole.name


def _listed(places: Iterable[Path]) -> str:
    return ", ".join(map(str, places))
