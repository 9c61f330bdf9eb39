import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.classification.optimisation import OptimiserConfig, build_optimiser, learning_rate, restore_optimiser
from law_rl.files import load_tree, save_tree

CONFIGS = [
    OptimiserConfig(),
    OptimiserConfig(nesterov=True),
    OptimiserConfig(momentum=0.0, weight_decay=0.0),
    OptimiserConfig(name="adam", lr=1e-2),
]


def gradients(step: int, like: list[nn.Parameter]) -> list[Tensor]:
    """Laid out in memory as the parameters are, as autograd's are."""
    generator = torch.Generator().manual_seed(step)
    values = [torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) for parameter in like]
    return [torch.empty_like(parameter).copy_(value) for parameter, value in zip(like, values, strict=True)]


def train(optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter], steps: range) -> None:
    for step in steps:
        for parameter, gradient in zip(parameters, gradients(step, parameters), strict=True):
            parameter.grad = gradient
        optimiser.step()


def make_parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(99)
    shapes = [(3, 4), (5,), (2, 3, 3, 3)]
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def sgd_by_hand(config: OptimiserConfig, value: Tensor, gradient: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
    gradient = gradient + config.weight_decay * value
    velocity = config.momentum * velocity + gradient
    direction = gradient + config.momentum * velocity if config.nesterov else velocity
    return value - config.lr * direction, velocity


@pytest.mark.parametrize("config", [config for config in CONFIGS if config.name == "sgd"])
def test_sgd_takes_the_steps_of_its_definition(config: OptimiserConfig) -> None:
    parameters = make_parameters(torch.float64)
    values = [parameter.detach().clone() for parameter in parameters]
    velocities = [torch.zeros_like(value) for value in values]
    train(build_optimiser(config, parameters), parameters, range(4))
    for step in range(4):
        for index, gradient in enumerate(gradients(step, parameters)):
            values[index], velocities[index] = sgd_by_hand(config, values[index], gradient, velocities[index])
    for parameter, value in zip(parameters, values, strict=True):
        torch.testing.assert_close(parameter.detach(), value, rtol=1e-12, atol=1e-12)


def test_adam_takes_the_steps_of_its_definition() -> None:
    config = OptimiserConfig(name="adam", lr=1e-2, weight_decay=0.1)
    parameters = make_parameters(torch.float64)
    values = [parameter.detach().clone() for parameter in parameters]
    first, second = ([torch.zeros_like(value) for value in values] for _ in range(2))
    train(build_optimiser(config, parameters), parameters, range(4))
    for step in range(4):
        for i, raw in enumerate(gradients(step, parameters)):
            gradient = raw + config.weight_decay * values[i]
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            mean, square = first[i] / (1 - 0.9 ** (step + 1)), second[i] / (1 - 0.999 ** (step + 1))
            values[i] = values[i] - config.lr * mean / (square.sqrt() + 1e-8)
    for parameter, value in zip(parameters, values, strict=True):
        torch.testing.assert_close(parameter.detach(), value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_restored_optimiser_goes_on_bit_for_bit(config: OptimiserConfig) -> None:
    parameters = make_parameters()
    optimiser = build_optimiser(config, parameters)
    assert optimiser.param_groups[0]["fused"] is True
    train(optimiser, parameters, range(3))
    state = copy.deepcopy(optimiser.state_dict())
    restored_parameters = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    restored = build_optimiser(config, restored_parameters)
    restored.load_state_dict(state)
    assert_equal_states(restored.state_dict(), state)
    train(optimiser, parameters, range(3, 6))
    train(restored, restored_parameters, range(3, 6))
    assert_equal_states(restored.state_dict(), optimiser.state_dict())
    for parameter, again in zip(parameters, restored_parameters, strict=True):
        assert torch.equal(parameter, again)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("groups", [1, 2])
def test_an_optimiser_goes_on_from_a_file_as_it_lay_in_memory(
    config: OptimiserConfig, groups: int, tmp_path: Path
) -> None:
    def make() -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
        parameters = make_parameters()
        parameters[2].data = parameters[2].data.contiguous(memory_format=torch.channels_last)
        if groups == 1:
            return parameters, build_optimiser(config, parameters)
        optimiser = build_optimiser(config, parameters[:1])
        optimiser.add_param_group({"params": parameters[1:]})
        return parameters, optimiser

    (parameters, optimiser), (again, restored) = make(), make()
    train(optimiser, parameters, range(3))
    save_tree(tmp_path / "state", optimiser.state_dict())
    restore_optimiser(restored, load_tree(tmp_path / "state"))
    for own, other in zip(again, parameters, strict=True):
        own.data.copy_(other.data)
    for parameter, entries in restored.state.items():
        for value in (v for v in entries.values() if isinstance(v, Tensor) and v.shape == parameter.shape):
            assert value.stride() == parameter.stride()
    train(optimiser, parameters, range(3, 6))
    train(restored, again, range(3, 6))
    for own, other in zip(again, parameters, strict=True):
        assert torch.equal(own, other)


def assert_equal_states(state: dict[str, Any], other: dict[str, Any]) -> None:
    assert state["param_groups"] == other["param_groups"]
    assert state["state"].keys() == other["state"].keys()
    for index, entries in state["state"].items():
        assert entries.keys() == other["state"][index].keys()
        for name, value in entries.items():
            same = other["state"][index][name]
            assert torch.equal(value, same) if isinstance(value, Tensor) else value == same, name


@pytest.mark.parametrize("config", CONFIGS)
def test_the_groups_rate_is_the_one_that_acts(config: OptimiserConfig) -> None:
    parameters = make_parameters()
    before = [parameter.detach().clone() for parameter in parameters]
    optimiser = build_optimiser(config, parameters)
    for group in optimiser.param_groups:
        group["lr"] = 0.0
    train(optimiser, parameters, range(2))
    assert all(torch.equal(parameter, value) for parameter, value in zip(parameters, before, strict=True))


@pytest.mark.parametrize("config", [OptimiserConfig(), OptimiserConfig(name="adam", lr=1e-2)])
def test_fused_steps_lower_the_loss_of_a_channels_last_network(config: OptimiserConfig) -> None:
    network = build_network(NetworkConfig(name="cnn", width=4), image_shape=(1, 6, 6), classes=3, seed=0)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = build_optimiser(config, network.parameters())
    batch = torch.randn(12, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(12) % 3
    losses = []
    for _ in range(15):
        loss = nn.functional.cross_entropy(network(batch), targets)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(3), abs=0.05)
    assert losses[-1] < 0.5 * losses[0]


def test_an_optimiser_without_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="empty parameter list"):
        build_optimiser(OptimiserConfig(), [])


def test_step_schedule_multiplies_at_each_milestone() -> None:
    config = OptimiserConfig(lr=0.5, milestones=(0.25, 0.7), factor=0.2)
    rates = [learning_rate(config, step / 100) for step in range(100)]
    assert rates == pytest.approx([0.5] * 25 + [0.1] * 45 + [0.02] * 30)


def test_constant_schedule_stays() -> None:
    config = OptimiserConfig(lr=0.3, schedule="constant")
    assert {learning_rate(config, progress) for progress in (0.0, 0.8, 1.0)} == {0.3}


def test_cosine_schedule_falls_from_lr_to_zero() -> None:
    config = OptimiserConfig(lr=0.4, schedule="cosine")
    assert learning_rate(config, 0.0) == 0.4
    assert learning_rate(config, 1 / 3) == pytest.approx(0.3)
    assert learning_rate(config, 0.5) == pytest.approx(0.2)
    assert learning_rate(config, 1.0) == 0.0


@given(
    st.sampled_from(["constant", "step", "cosine"]),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(1e-6, 10.0),
)
def test_rates_never_rise_and_stay_between_zero_and_lr(schedule: Any, one: float, other: float, lr: float) -> None:
    config = OptimiserConfig(lr=lr, schedule=schedule)
    early, late = (learning_rate(config, progress) for progress in sorted((one, other)))
    assert 0.0 <= late <= early <= lr


@pytest.mark.parametrize("progress", [-0.01, 1.01, float("nan")])
def test_progress_outside_training_is_refused(progress: float) -> None:
    with pytest.raises(ValueError, match="progress is"):
        learning_rate(OptimiserConfig(), progress)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "rmsprop"}, "name is 'rmsprop'"),
        ({"schedule": "linear"}, "schedule is 'linear'"),
        ({"lr": 0.0}, r"lr is 0\.0"),
        ({"lr": float("inf")}, "lr is inf"),
        ({"momentum": 1.0}, r"momentum is 1\.0"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov is set"),
        ({"nesterov": True, "name": "adam"}, "nesterov is set"),
        ({"weight_decay": -1e-4}, r"weight_decay is -0\.0001"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"factor": 0.0}, r"factor is 0\.0"),
        ({"factor": 1.5}, r"factor is 1\.5"),
        ({"milestones": (0.8, 0.5)}, "milestones is"),
        ({"milestones": (0.5, 0.5)}, "milestones is"),
        ({"milestones": (0.5, 1.0)}, "milestones is"),
        ({"milestones": (80.0, 120.0)}, "milestones is"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OptimiserConfig(**settings)
