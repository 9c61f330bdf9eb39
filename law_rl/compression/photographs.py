"""Training photographs on the device, and crops of them drawn from counters in one gather."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from law_rl.compression.photograph_files import scaled

SCALES = (1.0, 0.8, 0.65, 0.5)
DRAWS = 5
"""Uniform numbers that one crop takes: which photograph and scale, top, left, and the two flips."""


class Photographs:
    """Photographs at several scales as one uint8 tensor [pixels, 3], from which square crops are gathered.

    `images` are uint8 [H, W, 3]; of each, the scales are kept at which a crop of `size` pixels fits. A crop shows each
    kept (photograph, scale) equally often, any position in it equally often, mirrored in half of all cases in each
    direction. `content_hash` tells sets of photographs and crop sizes apart. Raises ValueError where no crop fits.
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        size: int,
        device: str | torch.device = "cpu",
        scales: Sequence[float] = SCALES,
    ) -> None:
        with ThreadPoolExecutor() as pool:
            copies = [c for several in pool.map(partial(_copies, size=size, scales=scales), images) for c in several]
        if not copies:
            raise ValueError(
                f"None of {len(images)} photographs is as large as a crop of {size} x {size}: make the crop smaller, "
                "or give larger photographs."
            )
        self.size = size
        sides = torch.tensor([copy.shape[:2] for copy in copies])
        starts = torch.cumsum(sides.prod(1), 0) - sides.prod(1)
        flat = np.concatenate([copy.reshape(-1, 3) for copy in copies])
        self.content_hash = hashlib.sha256(sides.numpy().tobytes() + flat.tobytes()).hexdigest()[:16]
        self._pixels = torch.from_numpy(flat).to(device)
        self._heights, self._widths = (side.to(device) for side in sides.T)
        self._starts = starts.to(device)
        self._steps = torch.arange(size, device=device)

    def __len__(self) -> int:
        """How many (photograph, scale) there are to draw from."""
        return len(self._starts)

    @property
    def device(self) -> torch.device:
        return self._pixels.device

    def crops(self, draws: Tensor) -> Tensor:
        """One crop for each row of `draws` [B, 5], uniform in [0, 1): float32 [B, 3, S, S] in 0..1, channels last.

        A function of the tensor `draws` alone that never waits for the device, so that a CUDA graph can hold it.
        """
        which = (draws[:, 0] * len(self)).long()
        heights, widths = self._heights[which], self._widths[which]
        rows = _line(draws[:, 1], heights - self.size, draws[:, 3], self._steps)
        columns = _line(draws[:, 2], widths - self.size, draws[:, 4], self._steps)
        index = self._starts[which, None, None] + rows[:, :, None] * widths[:, None, None] + columns[:, None, :]
        return self._pixels[index].permute(0, 3, 1, 2).float() / 255


def _copies(image: NDArray[np.uint8], size: int, scales: Sequence[float]) -> list[NDArray[np.uint8]]:
    picture = Image.fromarray(image)
    copies = [image if share == 1 else np.asarray(scaled(picture, share)) for share in scales]
    return [copy for copy in copies if min(copy.shape[:2]) >= size]


def _whole(draws: Tensor, counts: Tensor) -> Tensor:
    """Uniform whole numbers from 0 to `counts` - 1; no product of a float32 below 1 rounds up to `counts` itself."""
    return (draws * counts).long()


def _line(draws: Tensor, room: Tensor, flips: Tensor, steps: Tensor) -> Tensor:
    """Positions [B, S] along one side: S in a row from a random start, in descending order where flipped."""
    along = _whole(draws, room + 1)[:, None] + steps
    return torch.where(flips[:, None] < 0.5, along, along.flip(1))
