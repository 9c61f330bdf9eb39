"""The compact generator: shapes, range, and images that depend on their own noise alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.ida.generator import FaceGenerator, Generator, GeneratorConfig


def noise(count: int, width: int = 8, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch_generator(seed, "noise"))


@pytest.mark.parametrize("size", [16, 24, 48, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_maps_noise_to_images(size: int, channels: Any) -> None:
    config = GeneratorConfig(size=size, channels=channels, noise_width=8, width=4)
    generator: Generator = FaceGenerator(config, seed=0)
    images = generator(noise(5))
    assert images.shape == (5, *config.image_shape) and images.dtype == torch.float32
    assert 0 <= images.amin() < images.amax() <= 255
    assert images.std() > 5


def test_its_range_is_whole() -> None:
    generator = FaceGenerator(GeneratorConfig(size=16, noise_width=8, width=2), seed=0)
    with torch.no_grad():
        for side in (-1, 1):
            generator.layers[-1].weight.zero_()
            generator.layers[-1].bias.fill_(side * 100.0)
            assert (generator(noise(2)) == 127.5 * (side + 1)).all()


def test_an_image_depends_on_its_own_noise_alone() -> None:
    generator = FaceGenerator(GeneratorConfig(size=16, noise_width=8, width=4), seed=0).double()
    batch = noise(6).double()
    torch.testing.assert_close(generator(batch)[2:3], generator(batch[2:3]), rtol=0, atol=1e-9)
    assert not torch.allclose(generator(batch)[2], generator(batch)[3])


def test_inner_maps_are_level_at_each_place() -> None:
    generator = FaceGenerator(GeneratorConfig(size=16, noise_width=8, width=4), seed=0)
    seen: list[Tensor] = []
    for layer in generator.layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    generator(1000 * noise(3))
    assert [tuple(maps.shape[1:]) for maps in seen] == [(16, 2, 2), (8, 4, 4), (4, 8, 8)]
    for maps in seen:
        torch.testing.assert_close(maps.square().mean(1), torch.ones_like(maps[:, 0]), rtol=1e-3, atol=0)


def test_its_weights_come_from_the_seed() -> None:
    config = GeneratorConfig(size=16, noise_width=8, width=4)
    first, again, other = (FaceGenerator(config, seed=seed)(noise(2)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 8}, "size is 8: give a side of 16"),
        ({"size": 72}, "size is 72"),
        ({"size": 50}, "size is 50"),
        ({"channels": 2}, "channels is 2: give 1 for grey or 3 for RGB"),
        ({"noise_width": 0}, "noise_width is 0"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GeneratorConfig(**settings)
