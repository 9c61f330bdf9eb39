"""Image folders in ImageNet's layout: train/<class>/<image> and val/<class>/<image>."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from law_rl.data.official import OfficialParts, Part

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm"})


def read_folders(root: Path, image_size: int) -> OfficialParts:
    """The classes are the folders of `root`/train in alphabetical order; `root`/val is the test part.

    Only files are listed here; images are decoded when asked for, to uint8 RGB of side `image_size`. Raises
    FileNotFoundError where a folder or its images are missing, ValueError for a class that val has and train has not.
    """
    names = tuple(sorted(path.name for path in _listing(root / "train") if path.is_dir()))
    unknown = sorted({path.name for path in _listing(root / "val") if path.is_dir()} - set(names))
    if unknown:
        raise ValueError(
            f"{root / 'val'} has the class {unknown[0]!r}, which {root / 'train'} has not: name both alike."
        )
    return OfficialParts(
        class_names=names,
        train=_part(root / "train", names, image_size),
        test=_part(root / "val", names, image_size),
    )


def _listing(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"An image folder needs train/<class>/*.jpg and val/<class>/*.jpg, and {folder} does not exist: "
            "set DataConfig.root to the folder that holds train and val."
        )
    return sorted(folder.iterdir())


def _part(folder: Path, names: Sequence[str], image_size: int) -> Part:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        found = _listing(folder / name) if (folder / name).is_dir() else []
        images = [path for path in found if path.suffix.lower() in ENDINGS]
        files += images
        labels += [label] * len(images)
    if not files:
        raise FileNotFoundError(f"{folder} holds no images in class folders: put them in {folder}/<class>/*.jpg.")
    return Part(targets=torch.tensor(labels), images=partial(_decode_all, files, image_size))


def _decode_all(files: Sequence[Path], image_size: int, indices: torch.Tensor) -> torch.Tensor:
    images = torch.empty(len(indices), 3, image_size, image_size, dtype=torch.uint8)
    wanted = [files[index] for index in indices.tolist()]
    with ThreadPoolExecutor() as pool:
        for position, image in enumerate(pool.map(partial(decode_image, image_size=image_size), wanted)):
            images[position] = image
    return images


def decode_image(path: Path, image_size: int) -> torch.Tensor:
    """One image as RGB uint8 [3, S, S]: the short side resized to S = `image_size`, then the centre cut out.

    Raises ValueError that names a file which cannot be decoded.
    """
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"Image {path} cannot be read ({error}): repair it or take it out of the folder.") from error
    short = min(image.size)
    width, height = (max(image_size, round(side * image_size / short)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - image_size) // 2, (height - image_size) // 2
    centre = image.crop((left, top, left + image_size, top + image_size))
    return torch.from_numpy(np.array(centre)).permute(2, 0, 1)
