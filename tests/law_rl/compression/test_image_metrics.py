"""Metrics of 8-bit pictures: by hand, of grey ones too, and what they refuse."""

import math

import numpy as np
import pytest
import torch

from law_rl.compression.image_metrics import ms_ssim, psnr
from law_rl.compression.network.msssim import ms_ssim as ms_ssim_of_tensors
from law_rl.counters import numpy_generator


def test_psnr_by_hand() -> None:
    a = np.zeros((4, 5, 3), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 255
    assert psnr(a, b) == pytest.approx(10 * math.log10(60))
    assert psnr(a, a) == math.inf
    assert psnr(a[:, :, 0], np.full((4, 5), 255, np.uint8)) == 0.0


def test_ms_ssim_is_that_of_the_values_in_0_to_1() -> None:
    generator = numpy_generator(0, "metrics test")
    a, b = (generator.integers(0, 256, (176, 180, 3), dtype=np.uint8) for _ in range(2))
    tensors = [torch.from_numpy(p / 255).permute(2, 0, 1)[None] for p in (a, b)]
    assert ms_ssim(a, b) == pytest.approx(ms_ssim_of_tensors(*tensors).item(), abs=1e-5)
    assert ms_ssim(a[:, :, 0], a[:, :, 0]) == pytest.approx(1)


def test_pictures_that_do_not_match_are_refused() -> None:
    a = np.zeros((4, 5, 3), np.uint8)
    for other in (a[:3], a.astype(np.float32), a[:, :, 0]):
        with pytest.raises(ValueError, match="give two of uint8 and one shape"):
            psnr(a, other)
    with pytest.raises(ValueError, match="176"):
        ms_ssim(a, a)
