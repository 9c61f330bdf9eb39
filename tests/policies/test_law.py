"""LAW's agent: the full-data update counted and recomputed, and acting equal to Stable-Baselines3's own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from law_rl.observation import FOLLOWER
from policies.full_data import FullDataDDPG
from policies.law import Law, LawConfig, law_model, short_budget
from policies.stable_baselines import SpacesOnly, counter_draws

Fabricate = Callable[[int, TableActor | MlpActor], Episode]

SMALL = LawConfig(layers=(8,))


def updates(agent: Law) -> int:
    return int(agent.state()["updates"])


def take(agent: Law, fabricate: Fabricate, episodes: range) -> None:
    for index in episodes:
        actor = agent.actor(index)
        agent.take(index, actor, fabricate(index, actor))


def test_each_episode_brings_eight_passes_over_the_whole_buffer(spec: AgentSpec, fabricate: Fabricate) -> None:
    agent, expected = SMALL.build(spec), 0
    for index in range(13):  # 5 transitions each
        take(agent, fabricate, range(index, index + 1))
        expected += 8 * (5 * (index + 1) // 32)
        assert updates(agent) == expected
    assert expected == 8 * (6 * 1 + 1 * 2)


def test_by_stage_the_passes_follow_each_transition(spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = replace(SMALL, update_every="stage").build(spec)
    take(agent, fabricate, range(7))
    assert updates(agent) == 8 * (35 - 31)


def test_the_buffer_keeps_the_last_500_transitions(spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = replace(SMALL, batch_size=500, passes=1).build(spec)
    taken = []
    for index in range(103):
        episode = fabricate(index, agent.actor(index))
        agent.take(index, agent.policy(), episode)
        taken.append(episode)
    state = agent.state()
    order = torch.arange(500).roll(-state["position"])
    kept = taken[3:]
    stored = {name: part[order, 0] for name, part in state["buffer"].items()}
    assert torch.equal(stored["rewards"], torch.cat([episode.rewards for episode in kept]))
    assert torch.equal(stored["observations"], torch.cat([episode.observations[:-1] for episode in kept]))
    assert torch.equal(stored["next_observations"], torch.cat([episode.observations[1:] for episode in kept]))
    assert torch.equal(stored["actions"], torch.cat([episode.actions for episode in kept]))
    assert torch.equal(stored["dones"], torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]).repeat(100))


def test_a_pass_meets_every_transition_once_and_drops_the_remainder(
    spec: AgentSpec, fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    monkeypatch.setattr(FullDataDDPG, "_step", lambda model, everything, rows: seen.append(rows.tolist()))
    take(replace(SMALL, batch_size=4).build(spec), fabricate, range(1))
    assert len(seen) == 8 and all(len(set(rows)) == 4 and set(rows) <= set(range(5)) for rows in seen)
    assert len({tuple(rows) for rows in seen}) > 1


def test_one_update_is_the_published_one(spec: AgentSpec) -> None:
    """Critic, actor and targets after one minibatch, against the formulas written out."""
    config = LawConfig(layers=(8, 8), batch_size=4, passes=1, discount=0.9, tau=0.25, actor_lr=1e-3, gradient_clip=1e9)
    with counter_draws(0, "test"):
        model = law_model(config, SpacesOnly(spec), stages=spec.stages)
        parts = [torch.rand(4, 4), torch.rand(4, 2), torch.rand(4, 4), torch.tensor([[0.0], [0.0], [1.0], [0.0]])]
        rewards = torch.randn(4, 1)
    observations, actions, next_observations, dones = parts
    with torch.no_grad():
        next_value = model.critic_target(next_observations, model.actor_target(next_observations).clamp(-1, 1))[0]
    target = rewards + 0.9 * (1 - dones) * next_value
    critic, actor = list(model.critic.parameters()), list(model.actor.parameters())
    loss = ((model.critic(observations, actions)[0] - target) ** 2).mean()
    critic_after = [adam(p, g, lr=1e-3) for p, g in zip(critic, torch.autograd.grad(loss, critic), strict=True)]
    actor_before = [p.detach().clone() for p in actor]
    target_before = [p.detach().clone() for p in model.actor_target.parameters()]
    data = {"observations": observations, "actions": actions, "next_observations": next_observations, "dones": dones}
    model._step(Samples(data | {"rewards": rewards}), torch.arange(4))
    assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(critic, critic_after, strict=True))
    actor_now = [p.detach().clone() for p in actor]
    set_parameters(actor, actor_before)
    chosen = model.actor(observations)
    loss = 0.001 * chosen.norm(dim=1).mean() - model.critic(observations, chosen)[0].mean()
    actor_after = [adam(p, g, lr=1e-3) for p, g in zip(actor, torch.autograd.grad(loss, actor), strict=True)]
    assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(actor_now, actor_after, strict=True))
    targets = zip(model.actor_target.parameters(), target_before, actor_now, strict=True)
    assert all(torch.allclose(now, 0.75 * before + 0.25 * online, atol=1e-6) for now, before, online in targets)


class Samples:
    def __init__(self, parts: dict[str, torch.Tensor]) -> None:
        self.__dict__.update(parts)


def adam(parameter: torch.Tensor, gradient: torch.Tensor, *, lr: float) -> torch.Tensor:
    """Adam's first step with weight decay 1e-5."""
    gradient = gradient + 1e-5 * parameter.detach()
    return parameter.detach() - lr * gradient / (gradient.abs() + 1e-8)


def set_parameters(parameters: list[Any], values: list[torch.Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.data.copy_(value)


@pytest.mark.parametrize(
    "config",
    [LawConfig(passes=1), LawConfig(actor_init=0.5, passes=1), replace(short_budget(), random_episodes=0)],
    ids=["published", "saturated", "short"],
)
def test_the_actor_acts_as_stable_baselines_does(config: LawConfig, spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = config.build(spec)
    take(agent, fabricate, range(2))
    observations = fabricate(0, agent.policy()).observations
    for actor, network in ((agent.actor(5), agent._model.actor), (agent.policy(), agent._model.actor_target)):
        assert isinstance(actor, MlpActor)
        agent._model.policy.actor = network
        expected, _ = agent._model.predict(observations.numpy(), deterministic=True)
        mine = torch.stack([actor.greedy().act(observation, 1) for observation in observations])
        assert np.allclose(mine.numpy(), expected, atol=1e-5)


def test_the_published_networks_begin_near_uniform_weights(spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = LawConfig().build(spec)
    shapes = [tuple(weight.shape) for weight in agent.policy().weights]
    assert shapes == [(256, 19), (512, 256), (256, 512), (2, 256)]
    assert all(weight.std() == pytest.approx(0.05, rel=0.15) for weight in agent.policy().weights)
    observations = fabricate(0, agent.policy()).observations
    assert max(float(agent.policy().act(observation, 1).norm()) for observation in observations) < 0.5


def test_it_learns_the_better_action(spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = replace(short_budget(), layers=(16,), batch_size=16, actor_lr=3e-3, tau=0.05).build(spec)
    take(agent, fabricate, range(16))
    observations = fabricate(0, agent.policy()).observations
    assert min(float(agent.policy().act(observation, 1)[0]) for observation in observations) > 0.5


def test_an_observation_without_the_stage_is_refused(spec: AgentSpec) -> None:
    with pytest.raises(ValueError, match=r"begins with .progress.*set env\.observation"):
        LawConfig().build(replace(spec, observation=FOLLOWER))


@pytest.mark.parametrize(
    "wrong", [{"passes": 0}, {"tau": 0.0}, {"batch_size": 501}, {"actor_lr": -1.0}, {"discount": 1.1}]
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LawConfig(**wrong)
