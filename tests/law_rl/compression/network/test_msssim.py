"""MS-SSIM against a float64 oracle in numpy, and its limits."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor

from law_rl.compression.network.msssim import ms_ssim
from law_rl.counters import torch_generator

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def pair(height: int, width: int, strength: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch_generator(seed, "MS-SSIM test", height, width)
    smooth = torch.rand(2, 3, height // 8, width // 8, generator=generator)
    a = torch.nn.functional.interpolate(smooth, (height, width), mode="bilinear")
    return a, (a + strength * torch.randn(a.shape, generator=generator)).clamp(0, 1)


def blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window /= window.sum()
    return np.asarray(correlate1d(correlate1d(plane, window, 0), window, 1)[5:-5, 5:-5])


def oracle(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of one plane, as pytorch-msssim publishes it: valid windows, means of 2 x 2 with a zero row before odd sides."""
    result = 1.0
    for scale, weight in enumerate(WEIGHTS):
        ma, mb = blurred(a), blurred(b)
        va, vb, covariance = blurred(a * a) - ma**2, blurred(b * b) - mb**2, blurred(a * b) - ma * mb
        structure = (2 * covariance + 0.0009) / (va + vb + 0.0009)
        luminance = (2 * ma * mb + 0.0001) / (ma**2 + mb**2 + 0.0001)
        term = (luminance * structure).mean() if scale == 4 else structure.mean()
        result *= max(term, 0.0) ** weight
        sides = [(side % 2, 0) for side in a.shape]
        a, b = (np.pad(plane, sides) for plane in (a, b))
        a, b = (sum(p[y::2, x::2] for y in (0, 1) for x in (0, 1)) / 4 for p in (a, b))
    return result


@pytest.mark.parametrize(("height", "width"), [(176, 176), (181, 200), (191, 177)])
@pytest.mark.parametrize("strength", [0.01, 0.2])
def test_oracle(height: int, width: int, strength: float) -> None:
    a, b = pair(height, width, strength)
    expected = [
        np.mean([oracle(x, y) for x, y in zip(i.double().numpy(), j.double().numpy(), strict=True)])
        for i, j in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(ms_ssim(a.double(), b.double()).numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(ms_ssim(a, b).numpy(), expected, rtol=1e-4)
    assert (ms_ssim(a, b) < 0.9999).all()


def test_equal_images_and_symmetry() -> None:
    a, b = pair(176, 184, 0.1)
    torch.testing.assert_close(ms_ssim(a, a), torch.ones(2))
    torch.testing.assert_close(ms_ssim(a, b), ms_ssim(b, a))


def test_gradient_is_finite_where_structure_is_opposite() -> None:
    a, _ = pair(176, 176, 0.0)
    b = (1 - a).requires_grad_()
    ms_ssim(a, b).sum().backward()
    assert b.grad is not None and b.grad.isfinite().all()


def test_small_and_unequal_images_are_refused() -> None:
    with pytest.raises(ValueError, match="175 x 300: MS-SSIM needs sides of 176"):
        ms_ssim(torch.zeros(1, 3, 175, 300), torch.zeros(1, 3, 175, 300))
    with pytest.raises(ValueError, match="give two"):
        ms_ssim(torch.zeros(1, 3, 176, 176), torch.zeros(2, 3, 176, 176))
