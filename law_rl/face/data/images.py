"""Faces in memory, and how encoded images become such."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM")
MOST_PIXELS = 2**26
"""An image with more (8,192 x 8,192) is refused before it is decoded."""

BLOCK = 256
"""How many images one task of a thread decodes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceImages:
    """`images` uint8 [N, C, S, S]; `identities` int64 [N] in [0, I); `names` of the I identities.

    Raises ValueError for other shapes, types or identities without a name.
    """

    images: torch.Tensor
    identities: torch.Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_images("FaceImages.images", self.images)
        identities = self.identities
        if identities.dtype != torch.int64 or identities.shape != self.images.shape[:1]:
            raise ValueError(
                f"FaceImages.identities is {identities.dtype} {tuple(identities.shape)}: give int64 "
                f"[{len(self.images)}], one for each image"
            )
        if len(identities) and not 0 <= int(identities.min()) <= int(identities.max()) < len(self.names):
            raise ValueError(
                f"FaceImages.identities runs from {int(identities.min())} to {int(identities.max())} with "
                f"{len(self.names)} names: number the identities from 0 and name each"
            )


def check_images(name: str, images: torch.Tensor) -> None:
    """ValueError where the images, called `name`, are not uint8 [N, C, S, S] with one or three channels."""
    square = images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[2] == images.shape[3] > 0
    if images.dtype != torch.uint8 or not square:
        raise ValueError(
            f"{name} is {images.dtype} {tuple(images.shape)}: give uint8 [N, C, S, S] with 1 or 3 channels"
        )


def decode_face(content: bytes | Path, *, size: int, channels: int, name: str = "") -> torch.Tensor:
    """One encoded image, or the file of one, as uint8 [C, S, S]: luma or RGB, resized with a triangle filter.

    Reads JPEG, PNG, WebP, BMP and PPM with 8 bits a channel, and nothing beyond `MOST_PIXELS`. Errors call the image
    `name`, by default its path. Raises FileNotFoundError for a missing file, ValueError for one that cannot be read.
    """
    _check_size(size, channels)
    resized = read_face(content, channels=channels, name=name).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized).reshape(size, size, channels)).permute(2, 0, 1)


def read_face(content: bytes | Path, *, channels: int, name: str = "") -> Image.Image:
    """One encoded image, or the file of one, as it is: luma for 1 channel, RGB for 3. Raises as `decode_face` does."""
    called = name or (str(content) if isinstance(content, Path) else "in memory")
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            if image.mode.startswith(("I", "F")):
                raise ValueError("it has more than 8 bits a channel")
            return image.convert("L" if channels == 1 else "RGB")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"Image {called} does not exist: put it there, or take it off the list") from error
    except Exception as error:  # a damaged image can fail in any way
        raise ValueError(f"Image {called} cannot be read ({error}): repair it or leave it out") from error


def decode_faces(
    count: int, content: Callable[[int], tuple[bytes | Path, str]], *, size: int, channels: int
) -> torch.Tensor:
    """`decode_face` of `count` images by several threads: uint8 [N, C, S, S].

    `content(i)` gives image i and what errors call it; it is called from the threads. Raises what they raise.
    """
    _check_size(size, channels)
    images = torch.empty(count, channels, size, size, dtype=torch.uint8)

    def decode_block(start: int) -> None:
        for position in range(start, min(start + BLOCK, count)):
            encoded, name = content(position)
            images[position] = decode_face(encoded, size=size, channels=channels, name=name)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(decode_block, range(0, count, BLOCK)):
            pass
    return images


def _check_size(size: int, channels: int) -> None:
    if size < 1:
        raise ValueError(f"size is {size}: give the side of the images in pixels (112 is usual)")
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}: give 1 for grey or 3 for RGB")
