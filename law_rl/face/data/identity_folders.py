"""Faces as they are kept in folders: one for each identity, as in Labeled Faces in the Wild."""

from pathlib import Path

import torch

from law_rl.data.folders import ENDINGS
from law_rl.face.data.images import FaceImages, decode_faces


def read_identity_folders(root: Path, *, size: int, channels: int, least: int = 1) -> FaceImages:
    """The images in `root`/<identity>/, resized to `size`, ordered by the names of folders and files.

    Identities are numbered in this order, without those that have fewer than `least` images: nothing is learnt from
    one alone. Raises FileNotFoundError for a missing folder or one without images, ValueError for an image that cannot
    be read or where no identity has `least` of them.
    """
    if least < 1:
        raise ValueError(f"least is {least}: give the number of images that an identity needs, 1 or more")
    found = images_of_identities(root)
    kept = {name: files for name, files in found.items() if len(files) >= least}
    if not kept:
        raise ValueError(
            f"No identity of {root} has {least} images, the most are {max(map(len, found.values()))}: lower least"
        )
    files = [path for paths in kept.values() for path in paths]
    sizes = torch.tensor([len(paths) for paths in kept.values()])
    return FaceImages(
        images=decode_faces(len(files), lambda index: (files[index], ""), size=size, channels=channels),
        identities=torch.repeat_interleave(torch.arange(len(kept)), sizes),
        names=tuple(kept),
    )


def images_of_identities(root: Path) -> dict[str, list[Path]]:
    """The images of each identity in `root`/<identity>/, both in the order of their names.

    Raises FileNotFoundError for a missing folder or one without images.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"The folder {root} does not exist: give one that holds a folder for each identity")
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
        if files:
            found[folder.name] = files
    if not found:
        raise FileNotFoundError(f"{root} holds no images in folders: put them in {root}/<identity>/*.jpg")
    return found
