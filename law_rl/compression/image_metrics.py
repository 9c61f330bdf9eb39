"""How far two 8-bit pictures differ."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.network.msssim import ms_ssim as ms_ssim_of_tensors

Picture = NDArray[np.uint8]


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio in dB of two pictures uint8 [H, W, 3] or [H, W]; infinite for equal ones.

    10 log10(255^2 / mean squared error over all pixels and colours). Raises ValueError where they do not match.
    """
    _check(a, b)
    error = float(np.mean(np.square(a.astype(np.float64) - b.astype(np.float64))))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ms_ssim(a: Picture, b: Picture) -> float:
    """MS-SSIM of two pictures uint8 [H, W, 3] or [H, W] with sides of at least 176; 1 for equal ones.

    Raises ValueError where they do not match or are too small. Source: `network.msssim`.
    """
    _check(a, b)
    return float(ms_ssim_of_tensors(_tensor(a), _tensor(b)))


def _check(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8 or a.ndim not in (2, 3) or not a.size:
        raise ValueError(
            f"the pictures are {a.dtype} {a.shape} and {b.dtype} {b.shape}: give two of uint8 and one shape, "
            "[H, W, 3] or [H, W]."
        )


def _tensor(picture: Picture) -> Tensor:
    planes = picture[:, :, None] if picture.ndim == 2 else picture
    return torch.from_numpy(planes.astype(np.float32) / 255).permute(2, 0, 1).unsqueeze(0)
