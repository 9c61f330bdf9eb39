"""Validation measures whole photographs of any size, as a coder would."""

import math

import numpy as np
import pytest
import torch

from law_rl.compression.image_metrics import psnr
from law_rl.compression.network.codec_network import CodecConfig, build_codec
from law_rl.compression.validation import validate

TINY = CodecConfig(width=4, latents=6, attention="none")
RANDOM = np.random.default_rng(0)
SMOOTH = np.repeat(np.repeat(RANDOM.integers(0, 256, (8, 16, 3), np.uint8), 8, 0), 8, 1)


def test_it_agrees_with_a_pass_by_hand() -> None:
    network = build_codec(TINY, 0)
    found = validate(network, [SMOOTH], "cpu")
    with torch.no_grad():
        output = network(torch.tensor(SMOOTH).permute(2, 0, 1)[None].float() / 255)
    decoded = (output.reconstruction[0].permute(1, 2, 0).clamp(0, 1) * 255).round().numpy().astype(np.uint8)
    assert found.bpp == pytest.approx(float(output.y_bits + output.z_bits) / (64 * 128), rel=1e-6)
    assert found.psnr == pytest.approx(psnr(SMOOTH, decoded), abs=1e-6)


def test_odd_sizes_count_their_own_pixels() -> None:
    network = build_codec(TINY, 0)
    inside, whole = SMOOTH[:64, :65], np.pad(SMOOTH[:64, :65], ((0, 0), (0, 63), (0, 0)), mode="edge")
    assert validate(network, [inside], "cpu").bpp == pytest.approx(validate(network, [whole], "cpu").bpp * 128 / 65)


def test_it_is_the_mean_over_photographs() -> None:
    network = build_codec(TINY, 0)
    parts = [validate(network, [image], "cpu") for image in (SMOOTH, SMOOTH[:, :64])]
    both = validate(network, [SMOOTH, SMOOTH[:, :64]], "cpu")
    assert both.bpp == pytest.approx(math.fsum(part.bpp for part in parts) / 2)
    assert both.psnr == pytest.approx(math.fsum(part.psnr for part in parts) / 2)
