"""The network as a whole: shapes, paths, starting values, gradients, autocast and randomness."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from law_rl.compression.network.codec_network import (
    PAPER_HIGH,
    PAPER_LOW,
    SMALL,
    AttentionPosition,
    CodecConfig,
    build_codec,
)
from law_rl.compression.network.mixture import mixture_bits, on_grid
from law_rl.counters import torch_generator

TINY = CodecConfig(width=8, latents=12)


def photographs(count: int = 2, height: int = 128, width: int = 64, seed: int = 0) -> Tensor:
    """Smooth random pictures in 0..1, correlated in space and colour as photographs are."""
    generator = torch_generator(seed, "codec network test")
    total = torch.zeros(count, 3, height, width)
    for power in range(2, 6):
        size = (max(height >> power, 1), max(width >> power, 1))
        grey, colours = (torch.randn(count, planes, *size, generator=generator) for planes in (1, 3))
        layer = grey + 0.3 * colours
        total += torch.nn.functional.interpolate(layer, (height, width), mode="bilinear") * 2.0 ** (power - 5)
    return (0.5 + 0.15 * total).clamp(0, 1)


@pytest.mark.parametrize("attention", ["none", "z", "y", "both"])
@pytest.mark.parametrize(("components", "enhancement"), [(1, 0), (3, 4)])
def test_a_pass(attention: AttentionPosition, components: int, enhancement: int) -> None:
    config = CodecConfig(width=8, latents=12, attention=attention, components=components, enhancement=enhancement)
    network, images = build_codec(config, 0), photographs()
    output = network(images)
    assert output.reconstruction.shape == images.shape
    assert output.y.shape == (2, 12, 8, 4)
    assert output.y_bits.shape == output.z_bits.shape == (2,)
    assert all(part.isfinite().all() for part in output)
    assert (output.y_bits > 0).all() and (output.z_bits > 0).all()


def test_the_pass_is_made_of_its_parts() -> None:
    network, images = build_codec(TINY, 0), photographs()
    output, y = network(images), network.analyse(images)
    z_hat = network.hyper_analyse(y).round()
    raw = on_grid(network.raw(z_hat), 1)
    y_hat = (y - raw[:, 12:]).round() + raw[:, 12:]
    torch.testing.assert_close(output.y, y)
    torch.testing.assert_close(output.reconstruction, network.synthesise(y_hat))
    torch.testing.assert_close(output.y_bits, mixture_bits(y_hat, raw, 1).sum((1, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(output.z_bits, network.prior.bits(z_hat).sum((1, 2, 3)))


def test_images_of_a_batch_do_not_mix() -> None:
    network, images = build_codec(TINY, 0), photographs()
    one, both = network(images[:1]), network(images)
    torch.testing.assert_close(one.reconstruction, both.reconstruction[:1])
    torch.testing.assert_close(one.y_bits, both.y_bits[:1])


def test_it_is_a_codec_before_the_first_step() -> None:
    """Decent pictures at a moderate rate, at latents of a few units and at every lambda of the paper."""
    images = photographs(4, 128, 128)
    for lambda_ in (256.0, 1024.0, 8192.0):
        with torch.no_grad():
            output = build_codec(CodecConfig(width=32, latents=48), 0, lambda_=lambda_)(images)
        error = (output.reconstruction - images).square().mean().item()
        bpp = (output.y_bits + output.z_bits).sum().item() / images[:, 0].numel()
        assert -10 * np.log10(error) > 26
        assert bpp < 2
        assert 1 < output.y.std() < 20


def test_attention_changes_nothing_at_the_start_but_a_little() -> None:
    images = photographs()
    plain = build_codec(CodecConfig(width=16, latents=24, attention="none"), 0)
    gated = build_codec(CodecConfig(width=16, latents=24, attention="y"), 0)
    difference = (plain.analyse(images) - gated.analyse(images)).std() / plain.analyse(images).std()
    assert 0 < difference < 0.1


def test_enhancement_starts_as_the_identity() -> None:
    images = photographs()
    mended = build_codec(CodecConfig(width=8, latents=12, enhancement=4), 0)(images)
    torch.testing.assert_close(mended.reconstruction, build_codec(TINY, 0)(images).reconstruction)


@pytest.mark.parametrize("components", [1, 3])
def test_every_parameter_learns(components: int) -> None:
    config = CodecConfig(width=8, latents=12, components=components, attention="both", enhancement=4)
    network, images = build_codec(config, 0), photographs()
    with torch.no_grad():
        network.enhancement.body[-1].weight.fill_(0.01)  # type: ignore[index, union-attr, operator]
    output = network(images, torch_generator(0, "noise"))
    loss = output.y_bits.sum() + output.z_bits.sum() + 1e4 * (output.reconstruction - images).square().mean()
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_few_steps_lower_the_cost() -> None:
    network, images = build_codec(TINY, 0), photographs(height=64)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    costs = []
    for step in range(20):
        output = network(images, torch_generator(0, "noise", step))
        bpp = (output.y_bits + output.z_bits).mean() / 64**2
        cost = bpp + 1024 * (output.reconstruction - images).square().mean()
        optimiser.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        costs.append(cost.item())
    assert np.mean(costs[-5:]) < 0.9 * np.mean(costs[:3])


def test_starting_values_are_the_seeds_alone() -> None:
    state = torch.random.get_rng_state()
    one, again, other = build_codec(TINY, 1), build_codec(TINY, 1), build_codec(TINY, 2)
    assert torch.equal(state, torch.random.get_rng_state())
    values = [list(network.state_dict().values()) for network in (one, again, other)]
    assert all(torch.equal(a, b) for a, b in zip(values[0], values[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(values[0], values[2], strict=True))


def test_noise_is_the_generators_alone() -> None:
    network, images = build_codec(TINY, 0), photographs()
    one, again = (network(images, torch_generator(3, "noise")).y_bits for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, network(images, torch_generator(4, "noise")).y_bits)


def test_under_autocast_rates_stay_close_and_in_float32() -> None:
    network, images = build_codec(CodecConfig(width=16, latents=24, components=2), 0), photographs()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = network(images)
    with torch.no_grad():
        high = network(images)
    assert {part.dtype for part in low} == {torch.float32}
    torch.testing.assert_close(low.y_bits, high.y_bits, rtol=0.03, atol=0)
    assert (low.reconstruction - high.reconstruction).abs().mean() < 0.01


def test_float64_stays() -> None:
    output = build_codec(TINY, 0).double()(photographs().double())
    assert {part.dtype for part in output} == {torch.float64}


@pytest.mark.parametrize("shape", [(1, 3, 64, 65), (1, 1, 64, 64), (3, 64, 64)])
def test_unfit_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"sides that are multiples of 64\.$"):
        build_codec(TINY, 0).analyse(torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width is 0: give at least 1"),
        ({"components": 0}, "components is 0"),
        ({"enhancement": -1}, "enhancement is -1: give at least 0"),
        ({"attention": "x"}, "attention is 'x': use one of none, z, y, both"),
        ({"enhancement_blocks": 5}, "enhancement is 0"),
        ({"enhancement": 8, "enhancement_blocks": 0}, "enhancement_blocks is 0"),
    ],
)
def test_unfit_configurations_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CodecConfig(**settings)


def test_lambda_is_checked() -> None:
    with pytest.raises(ValueError, match="lambda_ is 0: give a finite number above 0"):
        build_codec(TINY, 0, lambda_=0)


def test_presets_have_the_papers_channels() -> None:
    assert [(c.width, c.latents) for c in (SMALL, PAPER_LOW, PAPER_HIGH)] == [(64, 96), (128, 192), (192, 320)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("components", [1, 3])
def test_on_a_gpu(components: int) -> None:
    config = CodecConfig(width=16, latents=24, components=components, enhancement=4, attention="both")
    images = photographs()
    here = build_codec(config, 0)(images)
    network = build_codec(config, 0, "cuda")
    there = network(images.cuda())
    torch.testing.assert_close(there.reconstruction.cpu(), here.reconstruction, atol=0.02, rtol=0)
    torch.testing.assert_close(there.y_bits.cpu(), here.y_bits, rtol=0.02, atol=0)
    with torch.autocast("cuda", torch.bfloat16):
        output = network(images.cuda(), torch_generator(0, "noise", device="cuda"))
    (output.y_bits.sum() + output.z_bits.sum() + output.reconstruction.square().sum()).backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())
