"""The cost is its two parts, by hand."""

from typing import Any

import pytest
import torch

from law_rl.compression.network.codec_network import CodecOutput
from law_rl.compression.network.msssim import ms_ssim
from law_rl.compression.rd_cost import rd_cost
from law_rl.counters import torch_generator


def output(reconstruction: torch.Tensor, y_bits: list[float], z_bits: list[float]) -> CodecOutput:
    return CodecOutput(reconstruction, torch.tensor(y_bits), torch.tensor(z_bits), torch.zeros(1))


def test_squared_error() -> None:
    images = torch.full((2, 3, 64, 128), 0.5)
    reconstruction = images.clone()
    reconstruction[1] += 0.1
    cost = rd_cost(images, output(reconstruction, [8192.0, 4096.0], [0.0, 4096.0]), 256)
    torch.testing.assert_close(cost.bpp, torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(cost.distortion, torch.tensor([0.0, 0.01]))
    torch.testing.assert_close(cost.cost, torch.tensor([1.0, 3.56]))


def test_lambda_may_differ_from_image_to_image() -> None:
    images = torch.zeros(2, 3, 64, 64)
    cost = rd_cost(images, output(images + 0.1, [0.0, 0.0], [0.0, 0.0]), torch.tensor([100.0, 200.0]))
    torch.testing.assert_close(cost.cost, torch.tensor([1.0, 2.0]))


def test_structural_similarity() -> None:
    images = torch.rand(1, 3, 176, 176, generator=torch_generator(0, "cost test"))
    low = (images * 0.9).bfloat16()
    cost = rd_cost(images, output(low, [0.0], [0.0]), 10, "ms_ssim")
    torch.testing.assert_close(cost.cost, 10 * (1 - ms_ssim(low.float(), images)))
    assert cost.cost.dtype == torch.float32


def test_an_unknown_distortion_is_refused() -> None:
    images = torch.zeros(1, 3, 64, 64)
    unknown: Any = "mae"
    with pytest.raises(ValueError, match="distortion is 'mae': use one of mse, ms_ssim"):
        rd_cost(images, output(images, [0.0], [0.0]), 1.0, unknown)
