"""A codec measured on a picture, by a codec that is known."""

import math

import numpy as np
import pytest

from law_rl.compression.measured import measure, point
from law_rl.compression.pictures import Pixels
from law_rl.counters import numpy_generator

LARGE = numpy_generator(0, "test measured").integers(0, 255, (176, 200, 3), dtype=np.uint8)


def off_by_one(content: bytes) -> Pixels:
    return np.frombuffer(content, np.uint8).reshape(LARGE.shape) + np.uint8(1)


def test_bits_are_those_of_the_whole_file() -> None:
    found = measure("a.png", LARGE, lambda pixels: pixels.tobytes(), off_by_one)
    assert (found.name, found.width, found.height, found.bytes) == ("a.png", 200, 176, 176 * 200 * 3)
    assert found.bpp == 24
    assert found.psnr == pytest.approx(20 * math.log10(255))
    assert found.ms_ssim is not None and 0.99 < found.ms_ssim < 1
    assert found.encode_s >= 0 and found.decode_s >= 0


def test_small_and_grey_pictures_have_no_similarity_and_exact_ones_an_endless_psnr() -> None:
    grey = LARGE[:175, :, 0].copy()
    found = measure("b", grey, lambda pixels: b"12", lambda content: grey)
    assert found.ms_ssim is None and found.psnr == math.inf
    assert found.bpp == pytest.approx(16 / (175 * 200))
    assert point("4", [found]).ms_ssim is None
