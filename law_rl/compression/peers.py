"""The codecs that Pillow has, to be compared with: JPEG, WebP and AVIF over a grid of their qualities."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from law_rl.compression.pictures import Pixels


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A codec of Pillow with the qualities at which it is measured; `options` are those of its encoder."""

    name: str
    format: str
    qualities: tuple[int, ...]
    options: Mapping[str, int | bool] = field(default_factory=dict)

    @property
    def available(self) -> bool:
        """Whether this Pillow was built with it."""
        Image.init()
        return self.format in Image.SAVE

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """The whole file of a picture uint8 [H, W, 3] or [H, W], without metadata."""
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, format=self.format, quality=quality, **self.options)
        return content.getvalue()

    def decode(self, content: bytes, *, grey: bool) -> Pixels:
        """The picture of a file, uint8 [H, W, 3], or [H, W] where it is `grey`."""
        with Image.open(io.BytesIO(content), formats=(self.format,)) as image:
            return np.array(image.convert("L" if grey else "RGB"))


PEERS = (
    Peer(
        name="JPEG",
        format="JPEG",
        qualities=(5, 10, 20, 30, 40, 50, 65, 80, 90, 95),
        options={"optimize": True},
    ),
    Peer(
        name="WebP",
        format="WEBP",
        qualities=(0, 10, 20, 40, 60, 75, 85, 95),
        options={"method": 6},
    ),
    Peer(
        name="AVIF",
        format="AVIF",
        qualities=(10, 25, 40, 50, 60, 70, 80, 90),
        options={"speed": 6},
    ),
)
"""JPEG and AVIF with halved colours (4:2:0), as WebP has them always; JPEG with the best Huffman tables."""
