import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.actor import MlpActor, TableActor, actor_from_tree
from law_rl.counters import torch_generator
from law_rl.files import load_tree, save_tree


def mlp(sizes: tuple[int, ...] = (3, 5, 4, 2), seed: int = 0, **settings: Any) -> MlpActor:
    generator = torch_generator(seed, "test actor")
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    return MlpActor(
        weights=tuple(torch.randn(pair, generator=generator) for pair in pairs),
        biases=tuple(torch.randn(out, generator=generator) for out, _ in pairs),
        **settings,
    )


def by_hand(actor: MlpActor, observation: list[float]) -> list[float]:
    """The output layer before squashing, in float64 loops."""
    values = observation
    for j, (weight, bias) in enumerate(zip(actor.weights, actor.biases, strict=True)):
        values = [
            sum(w * v for w, v in zip(row, values, strict=True)) + b
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        if j < len(actor.weights) - 1:
            values = [max(v, 0.0) if actor.activation == "relu" else math.tanh(v) for v in values]
    return values


def test_a_table_gives_its_rows_and_then_repeats_the_last() -> None:
    actor = TableActor(actions=torch.tensor([[0.1, 5.0], [0.3, -5.0]]))
    actions = [actor.act(torch.zeros(1), stage) for stage in (0, 1, 2, 9)]
    expected = torch.tensor([[0.1, 1.0], [0.3, -1.0], [0.3, -1.0], [0.3, -1.0]])
    assert torch.equal(torch.stack(actions), expected)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("output", ["tanh", "clip"])
def test_a_network_acts_as_its_definition(activation: Any, output: Any) -> None:
    actor = mlp(activation=activation, output=output)
    for seed in range(5):
        observation = torch.randn(3, generator=torch_generator(seed, "test observation")) * 0.3
        raw = by_hand(actor, observation.tolist())
        expected = [math.tanh(v) if output == "tanh" else min(max(v, -1.0), 1.0) for v in raw]
        assert actor.act(observation, 0).tolist() == pytest.approx(expected, abs=1e-5)


def test_an_embedding_takes_the_place_of_the_stage() -> None:
    rows = torch.randn(4, 2, generator=torch_generator(0, "test rows"))
    actor = mlp((4, 3, 1), embedding=rows)
    for stage, row in ((0.0, 0), (2.0, 2), (3.4, 3), (99.0, 3)):
        expected = math.tanh(by_hand(actor, [*rows[row].tolist(), 0.5, -0.5])[0])
        assert actor.act(torch.tensor([stage, 0.5, -0.5]), 0).item() == pytest.approx(expected, abs=1e-5)


def test_directional_noise_is_scaled_by_the_action() -> None:
    noise = torch.tensor([[0.0, 0.0], [0.1, -0.2]])
    calm, noisy = mlp(), mlp(exploration="directional", noise=noise)
    observation = torch.tensor([0.1, 0.2, -0.1])
    action = calm.act(observation, 0)
    assert torch.equal(noisy.act(observation, 0), action)
    expected = (action + action.norm() * noise[1]).clamp(-1, 1)
    for stage in (1, 2, 7):
        torch.testing.assert_close(noisy.act(observation, stage), expected)


def test_additive_noise_is_added_and_clipped() -> None:
    noise = torch.tensor([[0.25, 9.0]])
    observation = torch.tensor([0.1, 0.2, -0.1])
    expected = (mlp().act(observation, 0) + noise[0]).clamp(-1, 1)
    assert torch.equal(mlp(exploration="additive", noise=noise).act(observation, 0), expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_sampled_actions_come_from_the_gaussian_before_squashing(layers: int) -> None:
    log_std: tuple[torch.Tensor, ...] = (torch.tensor([-1.0, 0.5]),)
    if layers == 2:
        generator = torch_generator(0, "test std")
        log_std = (torch.randn(2, 4, generator=generator), torch.randn(2, generator=generator))
    noise = torch.tensor([[0.3, -0.7]])
    actor = mlp(exploration="sampled", noise=noise, log_std=log_std)
    observation = torch.tensor([0.1, 0.2, -0.1])
    mean, std = actor.gaussian(observation)
    assert mean.tolist() == pytest.approx(by_hand(actor, observation.tolist()), abs=1e-5)
    if layers == 1:
        assert std.tolist() == pytest.approx([math.exp(-1.0), math.exp(0.5)])
    torch.testing.assert_close(actor.act(observation, 0), torch.tanh(mean + std * noise[0]))
    torch.testing.assert_close(actor.greedy().act(observation, 0), torch.tanh(mean))


def test_a_greedy_actor_is_the_same_policy_without_noise() -> None:
    observation = torch.tensor([0.1, 0.2, -0.1])
    actor = mlp(exploration="additive", noise=torch.ones(3, 2))
    assert not torch.equal(actor.act(observation, 1), mlp().act(observation, 1))
    assert torch.equal(actor.greedy().act(observation, 1), mlp().act(observation, 1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), st.integers(0, 50))
def test_actions_stay_in_the_box(observation: list[float], stage: int) -> None:
    noise = torch.full((2, 2), 3.0)
    for exploration in ("none", "directional", "additive"):
        action = mlp(output="clip", exploration=exploration, noise=noise).act(torch.tensor(observation), stage)
        assert bool((action.abs() <= 1).all())


ACTORS: dict[str, TableActor | MlpActor] = {
    "table": TableActor(actions=torch.rand(3, 2, generator=torch_generator(0, "test table"))),
    "plain": mlp(activation="tanh", output="clip"),
    "law": mlp((5, 3, 2), embedding=torch.eye(7)[:, :3], exploration="directional", noise=torch.full((4, 2), 0.1)),
    "sac": mlp(exploration="sampled", noise=torch.full((4, 2), 0.1), log_std=(torch.full((2, 4), 0.2), torch.zeros(2))),
}


@pytest.mark.parametrize("name", ACTORS)
def test_an_actor_survives_a_file_bit_for_bit(name: str, tmp_path: Path) -> None:
    actor = ACTORS[name]
    save_tree(tmp_path / "actor", actor.to_tree())
    loaded = actor_from_tree(load_tree(tmp_path / "actor"))
    assert type(loaded) is type(actor) and loaded.kind == actor.kind
    observation = torch.tensor([1.0, 0.2, -0.1])
    for stage in range(5):
        assert torch.equal(loaded.act(observation, stage), actor.act(observation, stage))


def test_what_this_version_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="actor kind 'transformer' is not known here"):
        actor_from_tree({"kind": "transformer"})
    for name, known in (("activation", "relu, tanh"), ("output", "tanh, clip"), ("exploration", "none, .*sampled")):
        with pytest.raises(ValueError, match=f"{name} is 'new': use one of {known}"):
            actor_from_tree(mlp().to_tree() | {name: "new"})
