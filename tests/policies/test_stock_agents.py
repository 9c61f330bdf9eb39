"""Stock algorithms fed with episodes: acting and log-probabilities equal those of Stable-Baselines3."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from policies.off_policy import DDPGConfig, SACConfig, StockAgent, TD3Config
from policies.on_policy import OnPolicyAgent, PPOConfig
from policies.random_search import RandomSearchConfig

Fabricate = Callable[[int, TableActor | MlpActor], Episode]
Config = DDPGConfig | TD3Config | SACConfig | PPOConfig


@pytest.fixture(params=[DDPGConfig, TD3Config, SACConfig])
def agent(request: pytest.FixtureRequest, spec: AgentSpec) -> StockAgent:
    built: StockAgent = request.param(layers=(8, 8), batch_size=8, gradient_steps=2, random_episodes=2).build(spec)
    return built


def test_the_actor_acts_as_stable_baselines_does(agent: StockAgent, fabricate: Fabricate) -> None:
    observations = fabricate(0, agent.policy()).observations
    expected, _ = agent._model.predict(observations.numpy(), deterministic=True)
    mine = torch.stack([agent.policy().act(observation, 1) for observation in observations])
    assert np.allclose(mine.numpy(), expected, atol=1e-6)


def test_gradient_steps_are_counted_in_transitions(agent: StockAgent, fabricate: Fabricate) -> None:
    for index in range(3):
        actor = agent.actor(index)
        agent.take(index, actor, fabricate(index, actor))
        assert agent.state()["updates"] == 5 * 2 * (index + 1)


def test_the_first_episodes_hold_random_actions(agent: StockAgent) -> None:
    first, second, third = (agent.actor(episode) for episode in range(3))
    assert isinstance(first, TableActor) and isinstance(second, TableActor) and isinstance(third, MlpActor)
    assert not torch.equal(first.actions, second.actions)
    assert third.noise is not None and third.exploration in ("additive", "sampled")


def test_sac_samples_from_its_own_gaussian(spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = SACConfig(layers=(8, 8)).build(spec)
    model: Any = agent._model
    observation = fabricate(0, agent.policy()).observations[0]
    mean, std = agent.policy().gaussian(observation)
    expected_mean, expected_log_std, _ = model.actor.get_action_dist_params(observation[None])
    assert torch.allclose(mean, expected_mean[0], atol=1e-6)
    assert torch.allclose(std, expected_log_std[0].exp(), atol=1e-6)


@pytest.fixture
def ppo(spec: AgentSpec) -> OnPolicyAgent:
    return PPOConfig(layers=(8, 8), batch_size=8, episodes_per_update=2, reward_scale=0.5).build(spec)


def test_ppo_acts_as_stable_baselines_does(ppo: OnPolicyAgent, fabricate: Fabricate) -> None:
    observations = fabricate(0, ppo.policy()).observations
    expected, _ = ppo._model.predict(observations.numpy(), deterministic=True)
    mine = torch.stack([ppo.policy().act(observation, 1) for observation in observations])
    assert np.allclose(mine.numpy(), expected, atol=1e-6)


def test_ppo_learns_from_the_actions_and_log_probabilities_of_acting(ppo: OnPolicyAgent, fabricate: Fabricate) -> None:
    actor = ppo.actor(0)
    episode = fabricate(0, actor)
    ppo.take(0, actor, episode)
    (pending,) = ppo.state()["pending"]
    values, log_probs, _ = ppo._model.policy.evaluate_actions(pending["observations"], pending["actions"])
    assert torch.allclose(pending["log_probs"], log_probs, atol=1e-5)
    assert torch.allclose(pending["values"], values, atol=1e-6)
    assert torch.equal(pending["actions"].clamp(-1, 1), episode.actions)
    assert torch.equal(pending["rewards"], 0.5 * episode.rewards)


def test_ppo_trains_after_so_many_episodes_with_returns_that_end_with_them(
    ppo: OnPolicyAgent, fabricate: Fabricate
) -> None:
    start = ppo.policy()
    episodes = []
    for index in range(2):
        actor = ppo.actor(index)
        assert torch.equal(actor.weights[0], start.weights[0])
        episodes.append(fabricate(index, actor))
        ppo.take(index, actor, episodes[-1])
    assert not torch.equal(ppo.policy().weights[0], start.weights[0])
    returns = torch.from_numpy(ppo._model.rollout_buffer.returns).flatten()
    last = torch.stack([0.5 * episode.rewards[-1] for episode in episodes])
    assert torch.allclose(returns[[4, 9]], last, atol=1e-6)


@pytest.mark.parametrize("policy", ["constant", "table"])
def test_random_search_keeps_the_best_episode(policy: Any, spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = RandomSearchConfig(policy=policy).build(spec)
    assert not agent.policy().actions.any()
    best: tuple[float, torch.Tensor] = (0.0, torch.zeros(1, 2))
    for index in range(10):
        actor = agent.actor(index)
        episode = fabricate(index, actor)
        agent.take(index, actor, episode)
        if episode.advantage > best[0]:
            best = episode.advantage, actor.actions
    assert torch.equal(agent.policy().actions, best[1])
    assert len(best[1]) == (1 if policy == "constant" else spec.stages)
    assert (best[1].abs() <= 1).all()


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (DDPGConfig, {"gradient_steps": 0}),
        (SACConfig, {"learning_rate": 0.0}),
        (PPOConfig, {"batch_size": 1}),
        (PPOConfig, {"reward_scale": 0.0}),
        (RandomSearchConfig, {"policy": "linear"}),
    ],
)
def test_settings_are_checked(config: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        config(**wrong)
