"""Meta-Weight-Net: its meta gradient against finite differences, and its training against the learner's."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.meta_weight_net import (
    MetaWeightNetConfig,
    MetaWeightNetTraining,
    WeightNet,
    meta_gradient,
    train_meta_weight_net,
)
from envs.digits import digits_task
from law_rl.classification.task import ClassificationTask
from law_rl.counters import torch_generator
from law_rl.learner import BASELINE

LR = 0.5
GENERATOR = "test of Meta-Weight-Net"


def normal(*shape: int, counter: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch_generator(0, GENERATOR, counter), dtype=torch.float64)


def classifier(*, norm: bool) -> nn.Sequential:
    layers = [nn.Linear(3, 5), *([nn.BatchNorm1d(5)] if norm else []), nn.Tanh(), nn.Linear(5, 4)]
    network = nn.Sequential(*layers).double()
    with torch.no_grad():
        for counter, parameter in enumerate(network.parameters()):
            parameter.copy_(normal(*parameter.shape, counter=10 + counter))
    return network


def batch(counter: int) -> tuple[torch.Tensor, torch.Tensor]:
    return normal(6, 3, counter=counter), torch.arange(6) % 4


def virtual_loss(network: nn.Module, weight_net: WeightNet) -> float:
    """The meta loss by an actual gradient step on a copy."""
    network = copy.deepcopy(network)
    inputs, targets = batch(0)
    losses = functional.cross_entropy(network(inputs), targets, reduction="none")
    (weight_net(losses).detach() * losses).mean().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.sub_(LR * parameter.grad)
    meta_inputs, meta_targets = batch(1)
    return functional.cross_entropy(network(meta_inputs), meta_targets).item()


@pytest.mark.parametrize("norm", [False, True])
def test_the_meta_gradient_is_that_of_finite_differences(norm: bool) -> None:
    network, weight_net = classifier(norm=norm), WeightNet(3, seed=0).double()
    inputs, targets = batch(0)
    losses = functional.cross_entropy(network(inputs), targets, reduction="none")
    meta_inputs, meta_targets = batch(1)
    gradients = meta_gradient(network, weight_net, losses, lr=LR, inputs=meta_inputs, targets=meta_targets)
    step = 1e-5
    for parameter, gradient in zip(weight_net.parameters(), gradients, strict=True):
        values, numeric = parameter.data.view(-1), torch.empty(parameter.numel(), dtype=torch.float64)
        for place in range(len(values)):
            before = values[place].item()
            values[place] = before + step
            above = virtual_loss(network, weight_net)
            values[place] = before - step
            below = virtual_loss(network, weight_net)
            values[place] = before
            numeric[place] = (above - below) / (2 * step)
        torch.testing.assert_close(gradient.view(-1), numeric, rtol=1e-5, atol=1e-9)
    assert max(gradient.abs().max().item() for gradient in gradients) > 1e-4


def test_the_virtual_pass_leaves_the_network_alone() -> None:
    network, weight_net = classifier(norm=True), WeightNet(3, seed=0).double()
    inputs, targets = batch(0)
    losses = functional.cross_entropy(network(inputs), targets, reduction="none")
    before = copy.deepcopy(network.state_dict())
    meta_gradient(network, weight_net, losses, lr=LR, inputs=inputs, targets=targets)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def short_task() -> ClassificationTask:
    task = digits_task(noise=0.4)
    network = replace(task.training.network, width=16, dropout=0.1)
    data = replace(task.data, train=200)
    return replace(task, data=data, training=replace(task.training, epochs=4, stages=4, network=network))


def test_equal_weights_give_the_learners_own_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same initialisation, batches, dropout, rates and optimiser: with constant weights not a bit differs."""
    monkeypatch.setattr(MetaWeightNetTraining, "_meta_step", lambda *_: None)
    monkeypatch.setattr(WeightNet, "forward", lambda _, losses: torch.full_like(losses, 0.5))
    training = MetaWeightNetTraining(short_task(), 3, MetaWeightNetConfig(), warmup=1)
    training.run()
    learner = short_task().learner(3)
    for _ in range(learner.stages):
        learner.train_stage(BASELINE)
    torch.testing.assert_close(training.learner.network.state_dict(), learner.network.state_dict(), rtol=0, atol=0)


def test_it_learns_to_distrust_high_losses() -> None:
    task = digits_task(noise=0.4)
    task = replace(task, training=replace(task.training, epochs=15))
    training = MetaWeightNetTraining(task, 0, MetaWeightNetConfig(), warmup=1)
    training.run()
    low, high = training.weights(torch.tensor([0.1, 6.0])).tolist()
    assert low > high + 0.1


def test_a_run_repeats_itself_and_depends_on_its_setting() -> None:
    first, again = (train_meta_weight_net(short_task(), 0, MetaWeightNetConfig(), warmup=1) for _ in range(2))
    fewer = train_meta_weight_net(short_task(), 0, MetaWeightNetConfig(meta_lr=0.1), warmup=1)
    assert first == again != fewer


@pytest.mark.parametrize("wrong", [{"meta_lr": 0.0}, {"hidden": 0}, {"meta_batch": 0}])
def test_settings_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MetaWeightNetConfig(**wrong)  # type: ignore[arg-type]
