"""Trainings learn, end when told, and go on after a stop as if there had been none."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from law_rl.compression.codec_training import PhotographObjective, codec_training
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork, build_codec
from law_rl.compression.photographs import DRAWS, Photographs
from law_rl.compression.training import Moment, Training, train_together
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.training_step import BLOCK, TrainingStep, batch_draws
from law_rl.counters import counter_seed

CODEC = CodecConfig(width=4, latents=6, attention="none")
CONFIG = TrainingConfig(steps=3 * BLOCK, batch=2, crop=64, learning_rate=1e-3, average=0.9)


def photographs(device: str = "cpu") -> Photographs:
    rows, columns = np.mgrid[:80, :96]
    waves = [127 + 120 * np.sin(rows / period) * np.cos(columns / (period + 2)) for period in (3, 5, 9)]
    return Photographs([np.stack(waves, 2).astype(np.uint8)], 64, device)


def silent(number: int, moment: Moment) -> None:
    pass


def weights(training: Training[CodecNetwork]) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in training.network().parameters()])


def trained(config: TrainingConfig = CONFIG, checkpoint: Path | None = None) -> Training[CodecNetwork]:
    training = codec_training(CODEC, config, photographs(), checkpoint)
    train_together([training], silent)
    return training


def test_the_cost_falls() -> None:
    moments: list[Moment] = []
    training = codec_training(CODEC, replace(CONFIG, steps=6 * BLOCK, learning_rate=3e-3), photographs())
    train_together([training], lambda _, moment: moments.append(moment), seconds=0)
    assert [moment.step for moment in moments] == [BLOCK * number for number in range(1, 7)]
    assert moments[-1].progress == 1
    costs = [moment.cost for moment in moments]
    assert sum(costs[-2:]) < 0.9 * sum(costs[:2])
    for moment in moments:
        assert moment.cost == pytest.approx(moment.bpp + CONFIG.lambda_ * moment.distortion, rel=1e-4)


def test_a_stopped_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = trained()
    first = codec_training(CODEC, CONFIG, photographs(), tmp_path / "checkpoint")
    first.run_block()
    first.save()
    first.run_block()  # lost, as after a kill
    second = trained(CONFIG, tmp_path / "checkpoint")
    assert second.step == whole.step == CONFIG.steps
    assert torch.equal(weights(second), weights(whole))
    assert torch.equal(weights(trained(CONFIG, tmp_path / "checkpoint")), weights(whole))  # finished: nothing to do


def test_a_stop_keeps_the_time_that_was_used(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=None, minutes=60.0)
    training = codec_training(CODEC, config, photographs(), tmp_path / "checkpoint")
    training.run_block()
    training.seconds += 1800
    training.save()
    assert codec_training(CODEC, config, photographs(), tmp_path / "checkpoint").progress == 0.5


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    trained(replace(CONFIG, steps=1), tmp_path / "checkpoint")
    with pytest.raises(ValueError, match=r"checkpoint is the checkpoint of a training with other settings"):
        codec_training(CODEC, CONFIG, photographs(), tmp_path / "checkpoint")


def test_trainings_side_by_side_are_those_alone() -> None:
    configs = [replace(CONFIG, steps=BLOCK + 3), replace(CONFIG, lambda_=256.0)]
    together = [codec_training(CODEC, config, photographs()) for config in configs]
    train_together(together, silent)
    for config, training in zip(configs, together, strict=True):
        assert torch.equal(weights(training), weights(trained(config)))


def test_time_ends_a_training() -> None:
    config = replace(CONFIG, steps=None, minutes=0.02)
    trainings = [codec_training(CODEC, replace(config, seed=seed), photographs()) for seed in range(2)]
    train_together(trainings, silent)
    assert trainings[0].step == trainings[1].step > 0
    assert 1.2 <= trainings[0].seconds < 20


def test_the_average_is_that_of_the_weights_over_the_steps() -> None:
    network = build_codec(CODEC, 0)
    step = TrainingStep(network, PhotographObjective(photographs(), CONFIG), CONFIG)
    history = []
    for number in range(3):
        step.run_block(batch_draws(0, number, 1, CONFIG.batch, DRAWS), 0.5, number)
        history.append(network.analysis.last.weight.detach().double().clone())
    shares = [CONFIG.average ** (2 - number) for number in range(3)]
    expected = sum(share * weight for share, weight in zip(shares, history, strict=True)) / sum(shares)
    position = [name for name, _ in network.named_parameters()].index("analysis.last.weight")
    torch.testing.assert_close(step.averaged(3)[position].double(), expected, rtol=1e-5, atol=1e-7)


def test_a_step_is_adam_on_the_clipped_gradient() -> None:
    config = replace(CONFIG, learning_rate=0.01, clip=1e-3)
    network, twin = build_codec(CODEC, 0), build_codec(CODEC, 0)
    step, draws = (
        TrainingStep(network, PhotographObjective(photographs(), config), config),
        batch_draws(0, 0, 1, config.batch, DRAWS),
    )
    step.run_block(draws, 0.5, 7)
    images = photographs().crops(draws[0])
    output = twin(images, torch.Generator().manual_seed(counter_seed(config.seed, "codec noise", 7)))
    errors = (output.reconstruction - images).square().mean((1, 2, 3))
    ((output.y_bits + output.z_bits) / 64**2 + config.lambda_ * errors).mean().backward()
    gradients = [parameter.grad for parameter in twin.parameters()]
    norm = torch.stack([gradient.square().sum() for gradient in gradients if gradient is not None]).sum().sqrt()
    assert norm > config.clip
    for parameter, start, gradient in zip(network.parameters(), twin.parameters(), gradients, strict=True):
        assert gradient is not None
        clipped = gradient * config.clip / norm
        expected = start - config.learning_rate_at(0.5) * clipped / (clipped.abs() + 1e-8)
        torch.testing.assert_close(parameter.detach(), expected.detach(), rtol=1e-4, atol=1e-4)


def test_a_step_that_is_not_finite_changes_nothing_and_a_run_of_them_is_told() -> None:
    training = codec_training(CODEC, CONFIG, photographs())
    training.run_block()
    training.read()
    before = [parameter.detach().clone() for parameter in training._step.network.parameters()]
    training._step._objective._lambda.fill_(math.nan)
    training._step.run_block(batch_draws(0, BLOCK, 1, CONFIG.batch, DRAWS), 0.5, BLOCK)
    for parameter, kept in zip(training._step.network.parameters(), before, strict=True):
        assert torch.equal(parameter, kept)
    training.step += 1
    with pytest.raises(ValueError, match=r"diverged between steps 8 and 9"):
        training.read()


def test_bfloat16_trains_nearly_the_same() -> None:
    costs = []
    for bfloat16 in (False, True):
        training = codec_training(CODEC, replace(CONFIG, bfloat16=bfloat16), photographs())
        training.run_block()
        costs.append(training.read().cost)
    assert costs[1] == pytest.approx(costs[0], rel=0.02)
    assert costs[1] != costs[0]


def test_ms_ssim_is_a_distortion_to_train_for() -> None:
    image = np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8)
    config = replace(CONFIG, distortion="ms_ssim", lambda_=16.0, crop=192, batch=1, steps=1)
    training = codec_training(CODEC, config, Photographs([image], 192, scales=(1.0,)))
    training.run_block()
    moment = training.read()
    assert 0 < moment.distortion < 1
    assert moment.cost == pytest.approx(moment.bpp + 16 * moment.distortion, rel=1e-5)


def test_no_network_before_the_first_step() -> None:
    with pytest.raises(ValueError, match=r"has not begun"):
        codec_training(CODEC, CONFIG, photographs()).network()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("changes", [{}, {"bfloat16": True}])
def test_a_graph_takes_the_steps_that_eager_calls_take(changes: dict[str, Any]) -> None:
    found = []
    for graph in (True, False):
        training = codec_training(CODEC, replace(CONFIG, cuda_graph=graph, **changes), photographs("cuda"))
        train_together([training], silent)
        found.append(weights(training))
    torch.testing.assert_close(found[0], found[1], rtol=0.02, atol=0.002)
