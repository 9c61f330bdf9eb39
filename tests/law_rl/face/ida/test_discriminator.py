"""The discriminator and the losses of the game: the formulas in float64."""

import math

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.ida.discriminator import Discriminator, discriminator_loss, generator_loss, gradient_penalty
from law_rl.face.ida.generator import GeneratorConfig


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch_generator(seed, "draw"), dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_the_losses_are_the_logarithms_of_the_right_answers() -> None:
    real, fake = 3 * draw(7), 3 * draw(5, seed=1)
    expected = -math.fsum(math.log(sigmoid(x)) for x in real.tolist()) / 7
    expected -= math.fsum(math.log(1 - sigmoid(x)) for x in fake.tolist()) / 5
    assert discriminator_loss(real, fake).item() == pytest.approx(expected, rel=1e-12)
    expected = -math.fsum(math.log(sigmoid(x)) for x in fake.tolist()) / 5
    assert generator_loss(fake).item() == pytest.approx(expected, rel=1e-12)


def test_the_generators_gradient_does_not_vanish_where_it_is_found_out() -> None:
    fake = torch.full((4,), -200.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    torch.testing.assert_close(gradient, torch.full((4,), -0.25))


def test_the_penalty_is_the_mean_squared_slope_of_each_image() -> None:
    images, slopes = draw(3, 1, 4, 4).requires_grad_(), draw(3, 1, 4, 4, seed=1)
    penalty = gradient_penalty(images, (slopes * images).sum((1, 2, 3)))
    assert penalty.item() == pytest.approx(slopes.square().sum().item() / 3)
    penalty = gradient_penalty(images, images.square().sum((1, 2, 3)) / 2)
    (second,) = torch.autograd.grad(penalty, images)
    torch.testing.assert_close(second, 2 * images / 3)


@pytest.mark.parametrize("size", [16, 48])
def test_it_scores_each_image(size: int) -> None:
    config = GeneratorConfig(size=size, channels=3, width=4)
    scores = Discriminator(config, seed=0)(torch.randn(6, 3, size, size, generator=torch_generator(0, "images")))
    assert scores.shape == (6,) and len(scores.unique()) == 6


def test_it_sees_whether_the_batch_is_one_face_again_and_again() -> None:
    network = Discriminator(GeneratorConfig(size=16, width=4), seed=0).double()
    image, others = draw(1, 1, 16, 16), draw(3, 1, 16, 16, seed=1)
    alike, among_others = network(image.expand(4, -1, -1, -1))[0], network(torch.cat([image, others]))[0]
    assert (alike - among_others).abs() > 1e-3
    torch.testing.assert_close(network(torch.cat([others, image]))[3], among_others)  # the order does not count
    images = image.expand(4, -1, -1, -1).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(images).sum(), images)
    assert gradient.isfinite().all()


def test_its_weights_come_from_the_seed() -> None:
    config, images = GeneratorConfig(size=16, width=4), torch.ones(2, 1, 16, 16)
    first, again, other = (Discriminator(config, seed=seed)(images) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
