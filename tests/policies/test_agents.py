"""What holds of every agent: it goes on after a restart with the same bits, and leaves global generators alone."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import Agent, AgentConfig, AgentSpec, Episode
from law_rl.files import load_tree, save_tree
from policies.law import LawConfig, short_budget
from policies.off_policy import DDPGConfig, SACConfig, TD3Config
from policies.on_policy import PPOConfig
from policies.random_search import RandomSearchConfig

Fabricate = Callable[[int, TableActor | MlpActor], Episode]

SMALL: dict[str, Any] = {"layers": (8, 8), "batch_size": 8, "gradient_steps": 1, "random_episodes": 2}
AGENTS: dict[str, AgentConfig] = {
    "law": LawConfig(layers=(8, 16, 8), batch_size=8, passes=2),
    "law by stage": LawConfig(layers=(8,), batch_size=8, passes=1, update_every="stage"),
    "law, full buffer": LawConfig(layers=(8,), batch_size=8, buffer_size=12, passes=1),
    "law, short budget": replace(short_budget(), layers=(8,), batch_size=8, passes=1),
    "ddpg": DDPGConfig(**SMALL),
    "td3": TD3Config(**SMALL),
    "sac": SACConfig(**SMALL),
    "ppo": PPOConfig(layers=(8, 8), batch_size=8, episodes_per_update=2),
    "random constant": RandomSearchConfig(),
    "random table": RandomSearchConfig(policy="table"),
}

pytestmark = pytest.mark.parametrize("config", AGENTS.values(), ids=AGENTS.keys())


def run(agent: Agent, fabricate: Fabricate, episodes: range) -> None:
    for index in episodes:
        actor = agent.actor(index)
        agent.take(index, actor, fabricate(index, actor))


def same(left: TableActor | MlpActor, right: TableActor | MlpActor) -> bool:
    def flat(tree: Any) -> list[Any]:
        return [x for value in tree.values() for x in flat(value)] if isinstance(tree, dict) else [tree]

    pairs = zip(flat(left.to_tree()), flat(right.to_tree()), strict=True)
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_a_restored_agent_goes_on_with_the_same_bits(
    config: AgentConfig, spec: AgentSpec, fabricate: Fabricate, tmp_path: Path
) -> None:
    whole = config.build(spec)
    run(whole, fabricate, range(5))
    file = tmp_path / "agent.safetensors"
    save_tree(file, whole.state())
    before = whole.policy()
    run(whole, fabricate, range(5, 9))
    restored = config.build(spec)
    restored.restore(load_tree(file))
    assert same(restored.policy(), before)
    run(restored, fabricate, range(5, 9))
    assert same(restored.policy(), whole.policy())
    assert same(restored.actor(9), whole.actor(9))
    assert isinstance(config, RandomSearchConfig) or not same(before, whole.policy())


def test_a_state_is_not_touched_by_what_the_agent_learns_later(
    config: AgentConfig, spec: AgentSpec, fabricate: Fabricate, tmp_path: Path
) -> None:
    agent, other = config.build(spec), config.build(spec)
    run(agent, fabricate, range(4))
    state, policy = agent.state(), agent.policy()
    other.restore(state)
    run(agent, fabricate, range(4, 6))
    run(other, fabricate, range(4, 6))
    again = config.build(spec)
    again.restore(state)
    assert same(again.policy(), policy)
    run(again, fabricate, range(4, 6))
    assert same(again.policy(), agent.policy())


def test_global_generators_stay_as_they_are(config: AgentConfig, spec: AgentSpec, fabricate: Fabricate) -> None:
    def generators() -> tuple[bytes, str, object]:
        return torch.get_rng_state().numpy().tobytes(), repr(np.random.get_state()), random.getstate()

    before = generators()
    agent = config.build(spec)
    run(agent, fabricate, range(5))
    agent.policy()
    agent.restore(agent.state())
    assert generators() == before


def test_an_agent_is_a_function_of_its_seed(config: AgentConfig, spec: AgentSpec, fabricate: Fabricate) -> None:
    agents = [config.build(spec) for _ in range(2)]
    torch.rand(7), np.random.rand(3)
    for agent in agents:
        run(agent, fabricate, range(4))
        random.random()
    assert same(agents[0].policy(), agents[1].policy())
    assert same(agents[0].actor(4), agents[1].actor(4))


def test_a_shorter_episode_is_taken(config: AgentConfig, spec: AgentSpec, fabricate: Fabricate) -> None:
    agent = config.build(spec)
    for index in range(4):
        actor = agent.actor(index)
        episode = fabricate(index, actor)
        cut = {"actions": episode.actions[:2], "rewards": episode.rewards[:2]}
        failed = replace(episode, observations=episode.observations[:3], failure="the loss is not finite", **cut)
        agent.take(index, actor, failed)
    assert torch.isfinite(agent.policy().act(episode.observations[0], 1)).all()
