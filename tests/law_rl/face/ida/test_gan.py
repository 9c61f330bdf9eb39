"""A generator in training: one step by hand, snapshots bit for bit, and that it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from law_rl.counters import torch_generator
from law_rl.face.ida.gan import PENALTY_EVERY, GanConfig, GanTraining
from law_rl.face.ida.generator import GeneratorConfig

TINY = GanConfig(generator=GeneratorConfig(size=16, noise_width=4, width=2), batch_size=6, lr=1e-2)


def faces(count: int = 20, size: int = 16) -> Tensor:
    """Grey squares, brighter on the left, that differ in brightness."""
    levels = torch.linspace(60, 160, count)[:, None, None, None]
    ramp = torch.linspace(60, 0, size).expand(1, 1, size, size)
    return (levels + ramp).to(torch.uint8)


def state(training: GanTraining) -> dict[str, Tensor]:
    parts = ("generator", "discriminator", "average")
    return {f"{part}.{name}": t for part in parts for name, t in getattr(training, part).state_dict().items()}


def copied(training: GanTraining) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in state(training).items()}


def generated(weights: list[Tensor], noise: Tensor) -> Tensor:
    """The generator by the functions that its layers stand for."""
    maps = (noise @ weights[0].T + weights[1]).view(len(noise), -1, 2, 2)
    for weight, bias in zip(weights[2::2], weights[3::2], strict=True):
        maps = torch.where(maps > 0, maps, 0.2 * maps)
        maps = maps / (maps.square().mean(1, keepdim=True) + 1e-8).sqrt()
        maps = functional.conv_transpose2d(maps, weight, bias, stride=2, padding=1)
    return maps.tanh()


def scored(weights: list[Tensor], images: Tensor) -> Tensor:
    for weight, bias in zip(weights[:6:2], weights[1:6:2], strict=True):
        images = functional.conv2d(images, weight, bias, stride=2, padding=1)
        images = torch.where(images > 0, images, 0.2 * images)
    variance = (images - images.mean(0)).square().mean(0)
    spread = (variance + 1e-8).sqrt().mean().expand(len(images), 1, 2, 2)
    return (torch.cat([images, spread], 1).flatten(1) @ weights[6].T + weights[7]).squeeze(1)


def plain_step(weights: dict[str, list[Tensor]], images: Tensor, config: GanConfig, iteration: int) -> list[float]:
    """One iteration restated: fresh Adam of betas 0 and 0.99 moves by lr g / (|g| + 1e-8) at its first step."""
    noise = torch.randn(config.batch_size, 4, generator=torch_generator(0, "gan noise", iteration)).double()
    draws = torch_generator(0, "gan images", iteration)
    chosen = torch.randint(len(images), (config.batch_size,), generator=draws)
    mirrored = torch.rand(config.batch_size, generator=draws) < 0.5
    reals = torch.stack([images[i].flip(2) if m else images[i] for i, m in zip(chosen, mirrored, strict=True)])
    reals = (reals.double() / 127.5 - 1).requires_grad_()
    fakes = generated(weights["generator"], noise)
    real, fake = scored(weights["discriminator"], reals), scored(weights["discriminator"], fakes.detach())
    first = -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
    penalty = torch.zeros(())
    if iteration % PENALTY_EVERY == 0:
        (slope,) = torch.autograd.grad(real.sum(), reals, create_graph=True)
        penalty = PENALTY_EVERY * config.penalty / 2 * slope.flatten(1).norm(dim=1).square().mean()
    descend(weights["discriminator"], first + penalty, config.lr)
    second = -scored(weights["discriminator"], fakes).sigmoid().log().mean()
    descend(weights["generator"], second, config.lr)
    return [first.item(), second.item()]


def descend(weights: list[Tensor], loss: Tensor, lr: float) -> None:
    gradients = torch.autograd.grad(loss, weights, retain_graph=True)
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.set_(weight - lr * gradient / (gradient.abs() + 1e-8))  # type: ignore[call-overload]


@pytest.mark.parametrize("iteration", [0, 1])
def test_a_step_is_that_of_the_formulas(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    training, images = GanTraining(faces(), replace(TINY, penalty=3.0), seed=0), faces()
    training.iteration = iteration
    for network in (training.generator, training.discriminator, training.average):
        network.double()
    reals = training._reals
    monkeypatch.setattr(training, "_reals", lambda: reals().double())
    weights = {
        name: [weight.detach().clone().requires_grad_() for weight in getattr(training, name).parameters()]
        for name in ("generator", "discriminator")
    }
    before = [weight.detach().clone() for weight in weights["generator"]]
    expected = plain_step(weights, images, training.config, iteration)
    assert training.step().tolist() == pytest.approx(expected, rel=1e-6)
    for name, known in weights.items():
        for weight, restated in zip(getattr(training, name).parameters(), known, strict=True):
            torch.testing.assert_close(weight, restated, rtol=0, atol=1e-4 * TINY.lr)
    for average, old, new in zip(training.average.parameters(), before, weights["generator"], strict=True):
        torch.testing.assert_close(average, 0.99 * old + 0.01 * new, rtol=0, atol=1e-6 * TINY.lr)


def test_a_restored_training_goes_on_with_the_same_bits() -> None:
    whole, cut = GanTraining(faces(), TINY, seed=1), GanTraining(faces(), TINY, seed=1)
    for _ in range(3):
        whole.step(), cut.step()
    snapshot = cut.snapshot()
    cut.step()  # the snapshot is a copy
    resumed = GanTraining(faces(), TINY, seed=1)
    resumed.restore(snapshot)
    assert resumed.iteration == 3
    for _ in range(PENALTY_EVERY):
        assert torch.equal(whole.step(), resumed.step())
    assert all(torch.equal(tensor, state(resumed)[name]) for name, tensor in state(whole).items())


def test_each_step_has_its_own_draws_and_each_seed_too() -> None:
    training, again, other = (GanTraining(faces(), TINY, seed=seed) for seed in (0, 0, 1))
    first, second = training._reals(), again._reals()
    assert torch.equal(first, second) and not torch.equal(first, other._reals())
    again.iteration = 1
    assert not torch.equal(first, again._reals())
    assert torch.equal(training.step(), GanTraining(faces(), TINY, seed=0).step())


def test_reals_are_images_and_their_mirror_images() -> None:
    training = GanTraining(faces(), replace(TINY, batch_size=64), seed=0)
    left_is_brighter = training._reals()[:, 0, 0, 0] > training._reals()[:, 0, 0, -1]
    assert 16 < left_is_brighter.sum() < 48
    found = (127.5 * (training._reals() + 1)).round().to(torch.uint8)
    known = torch.cat([faces(), faces().flip(3)])
    assert (found[:, None] == known).flatten(2).all(2).any(1).all()


def test_neither_player_moves_in_the_others_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    training = GanTraining(faces(), TINY, seed=0)
    before, moved = copied(training), []

    def descend(name: str, loss: Tensor) -> None:
        GanTraining._descend(training, name, loss)
        moved.append(
            {key.split(".")[0] for key, tensor in state(training).items() if not torch.equal(tensor, before[key])}
        )
        before.update(copied(training))

    monkeypatch.setattr(training, "_descend", descend)
    training.step()
    assert moved == [{"discriminator"}, {"generator"}]


def test_it_learns_what_the_images_are_like() -> None:
    images = faces()
    config = replace(TINY, generator=replace(TINY.generator, width=4), batch_size=16, average=0.9)
    training = GanTraining(images, config, seed=0)
    noise = torch.randn(64, 4, generator=torch_generator(0, "noise"))
    target = images.float().mean((0, 1))
    target = (target + target.flip(1)) / 2  # mirrored half of the time

    def error() -> float:
        return float((training.average(noise).mean((0, 1)) - target).abs().mean())

    before = error()
    for _ in range(150):
        training.step()
    assert error() < before / 2
    assert not training.average(noise).requires_grad


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"iterations": 0}, "iterations is 0: give at least 1"),
        ({"batch_size": 1}, "batch_size is 1: give at least 2 images"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": float("inf")}, "lr is inf"),
        ({"penalty": -1.0}, "penalty is -1.0"),
        ({"average": 1.0}, "average is 1.0"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GanConfig(**settings)


@pytest.mark.parametrize("images", [faces()[:0], faces(size=24), faces().expand(-1, 3, -1, -1)])
def test_images_must_have_the_generators_shape(images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"the generator makes \(1, 16, 16\): give at least 1 image of that shape"):
        GanTraining(images, TINY, seed=0)
    with pytest.raises(ValueError, match="give uint8"):
        GanTraining(images.float(), TINY, seed=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_trains_where_the_images_are() -> None:
    training = GanTraining(faces().cuda(), TINY, seed=0)
    assert training.step().isfinite().all() and training.average(torch.zeros(2, 4)).is_cuda
