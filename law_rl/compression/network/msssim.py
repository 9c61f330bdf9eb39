"""MS-SSIM: structural similarity over five scales."""

import torch
from torch import Tensor
from torch.nn import functional

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
SMALLEST = WINDOW * 2 ** (len(WEIGHTS) - 1)
"""Pixels of the shorter side that leave one window at the coarsest scale."""


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """MS-SSIM [B] of images [B, C, H, W] in 0..1, the mean over channels; 1 for equal images.

    The product over scales of the contrast-structure terms, and at the coarsest of the whole similarity, each a mean
    over windows clamped at 0 and raised to its weight. Windows are Gaussian, 11 x 11, sigma 1.5, and lie within the
    image; scales are halved by means of 2 x 2. Computed in float32 at least, also under autocast.
    Raises ValueError for shapes that differ and for sides below 176.
    Source: Wang et al., "Multi-scale structural similarity for image quality assessment", 2003, table and equation (7).
    """
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"the images have the shapes {tuple(a.shape)} and {tuple(b.shape)}: give two [B, C, H, W].")
    if min(a.shape[2:]) < SMALLEST:
        raise ValueError(f"the images are {a.shape[2]} x {a.shape[3]}: MS-SSIM needs sides of {SMALLEST} at least.")
    with torch.autocast(a.device.type, enabled=False):
        dtype = torch.promote_types(a.dtype, torch.float32)
        a, b = a.to(dtype), b.to(dtype)
        window = _window(a)
        result = a.new_ones(a.shape[:2])
        for scale, weight in enumerate(WEIGHTS):
            luminance, structure = _terms(a, b, window)
            last = scale == len(WEIGHTS) - 1
            term = (luminance * structure if last else structure).mean((2, 3))
            result = result * _power(term, weight)
            if not last:
                a, b = _halved(a), _halved(b)
        return result.mean(1)


def _power(term: Tensor, weight: float) -> Tensor:
    """max(term, 0)^weight; the least number stands for 0, where the power has no finite gradient."""
    return term.clamp_min(torch.finfo(term.dtype).eps) ** weight


def _window(like: Tensor) -> Tensor:
    places = torch.arange(WINDOW, dtype=like.dtype, device=like.device) - WINDOW // 2
    window = torch.exp(-places.square() / (2 * SIGMA**2))
    return window / window.sum()


def _blurred(images: Tensor, window: Tensor) -> Tensor:
    """Gaussian means [B, C, H - 10, W - 10] of [B, C, H, W], one direction after the other."""
    channels = images.shape[1]
    rows = functional.conv2d(images, window.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)
    return functional.conv2d(rows, window.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)


def _terms(a: Tensor, b: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """The luminance and contrast-structure maps [B, C, H - 10, W - 10] of images [B, C, H, W]."""
    moments = (_blurred(values, window) for values in (a, b, a * a, b * b, a * b))
    mean_a, mean_b, square_a, square_b, product = moments
    luminance = (2 * mean_a * mean_b + K1**2) / (mean_a.square() + mean_b.square() + K1**2)
    variances = square_a - mean_a.square() + square_b - mean_b.square()
    return luminance, (2 * (product - mean_a * mean_b) + K2**2) / (variances + K2**2)


def _halved(images: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; a side of odd length gets a row of zeros on both ends first, of which one is used."""
    return functional.avg_pool2d(images, 2, padding=(images.shape[2] % 2, images.shape[3] % 2))
