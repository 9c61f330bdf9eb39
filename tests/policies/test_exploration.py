"""Exploration tables: their statistics are LAW's, and they depend on counters alone."""

from dataclasses import replace

import pytest
import torch

from law_rl.actor import MlpActor
from law_rl.agent import AgentSpec
from policies.exploration import directional_noise, gaussian_noise, random_actions


@pytest.fixture
def long_spec(spec: AgentSpec) -> AgentSpec:
    return replace(spec, stages=40, warmup=5)


def directional(spec: AgentSpec, episodes: int, **settings: float) -> torch.Tensor:
    chosen = {"probability": 0.3, "scale": 0.5, "decay": 0.0} | settings
    return torch.stack([directional_noise(spec, episode, **chosen) for episode in range(episodes)])


def test_a_stage_is_perturbed_with_the_probability(long_spec: AgentSpec) -> None:
    perturbed = (directional(long_spec, 400)[:, 5:] != 0).all(dim=2).double()
    assert perturbed.mean() == pytest.approx(0.3, abs=0.02)


def test_directional_noise_has_the_std_of_an_ornstein_uhlenbeck_process(long_spec: AgentSpec) -> None:
    noise = directional(long_spec, 1000, probability=1.0).double()
    decay = 1 - 0.15 * 0.01
    for selection in (1, 10, 35):
        variance = 0.2**2 * 0.01 * sum(decay ** (2 * j) for j in range(selection))
        assert noise[:, 4 + selection].std() == pytest.approx(0.5 * variance**0.5, rel=0.1)
        assert noise[:, 4 + selection].mean() == pytest.approx(0.0, abs=0.1 * variance**0.5)


def test_the_scale_falls_with_each_action_selected_and_ends_at_zero(long_spec: AgentSpec) -> None:
    still = [directional_noise(long_spec, 3, probability=1.0, scale=0.5, decay=0.0)]
    falling = directional_noise(long_spec, 3, probability=1.0, scale=0.5, decay=0.0002)
    factor = 1 - 0.0002 * (3 * 35 + torch.arange(35.0)) / 0.5
    assert torch.allclose(falling[5:], still[0][5:] * factor[:, None], atol=1e-7)
    assert not directional_noise(long_spec, 72, probability=1.0, scale=0.5, decay=0.0002).any()


def test_directional_noise_turns_the_action_in_proportion_to_its_length() -> None:
    bias, noise = torch.tensor([0.3, -0.4]), torch.tensor([[0.1, 0.2]])
    actor = MlpActor(
        weights=(torch.zeros(2, 1),), biases=(bias,), output="clip", exploration="directional", noise=noise
    )
    expected = 0.5 * (bias / 0.5 + noise[0])
    assert torch.allclose(actor.act(torch.zeros(1), 0), expected)


def test_gaussian_noise_has_its_scale(long_spec: AgentSpec) -> None:
    noise = torch.stack([gaussian_noise(long_spec, episode, scale=0.2, decay=0.0) for episode in range(200)])
    assert noise.std() == pytest.approx(0.2, rel=0.03)


def test_tables_depend_on_seed_and_episode_alone(long_spec: AgentSpec) -> None:
    for table in (
        lambda spec, episode: gaussian_noise(spec, episode, scale=1.0, decay=0.0),
        lambda spec, episode: random_actions(spec, episode, stages=3),
    ):
        assert torch.equal(table(long_spec, 1), table(long_spec, 1))
        assert not torch.equal(table(long_spec, 1), table(long_spec, 2))
        assert not torch.equal(table(long_spec, 1), table(replace(long_spec, seed=4), 1))


def test_additive_noise_still_moves_an_action_that_lies_outside_the_box() -> None:
    noise = torch.tensor([[-0.3, 0.3]])
    actor = MlpActor(
        weights=(torch.zeros(2, 1),),
        biases=(torch.tensor([9.0, -9.0]),),
        output="clip",
        exploration="additive",
        noise=noise,
    )
    assert torch.allclose(actor.act(torch.zeros(1), 0), torch.tensor([0.7, -0.7]))
