from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from law_rl.actor import MlpActor
from law_rl.agent import AgentSpec, Episode
from law_rl.files import load_tree, save_tree
from policies.evolution import Evolution, EvolutionConfig

SPEC = AgentSpec(
    observation=("ema_loss", "progress"),
    low=(0.0, 0.0),
    high=(20.0, 1.0),
    action=("weight of loss", "bias"),
    baseline=(0.0, 0.0),
    stages=5,
    warmup=1,
    seed=0,
)


def episode(advantage: float, failure: str = "") -> Episode:
    nothing = torch.zeros(0)
    return Episode(
        training_seed=0,
        observations=nothing,
        actions=nothing,
        rewards=nothing,
        metric=50.0 + advantage,
        twin_metric=50.0,
        failure=failure,
        weight_clean=nothing,
        weight_mislabelled=nothing,
        weight_by_loss=nothing[:, None],
    )


def ends(actor: MlpActor) -> torch.Tensor:
    """Actions at the start and at the end of training, [2, A]; the other entries of the observation do not matter."""
    ends = [actor.act(torch.tensor([loss, progress]), 0) for loss, progress in ((0.3, 0.0), (7.0, 1.0))]
    return torch.stack(ends)


def make(population: int = 8, seed: int = 0, sigma: float = 0.5) -> Evolution:
    return EvolutionConfig(population=population, sigma=sigma).build(replace(SPEC, seed=seed))


def learn(agent: Evolution, objective: Callable[[torch.Tensor], float], episodes: range) -> list[torch.Tensor]:
    tried = []
    for index in episodes:
        actor = agent.actor(index)
        tried.append(ends(actor))
        agent.take(index, actor, episode(objective(tried[-1])))
    return tried


TARGET = torch.tensor([[0.6, -0.4], [-0.5, 0.3]])


def sphere(actions: torch.Tensor) -> float:
    return -float((actions - TARGET).square().sum())


def test_the_policy_begins_at_uniform_weights() -> None:
    assert torch.equal(ends(make().policy()), torch.zeros(2, 2))


def test_actions_move_linearly_with_progress_and_stay_in_the_box() -> None:
    agent = make(sigma=2.0)
    for index in range(20):
        actor = agent.actor(index)
        middle = actor.act(torch.tensor([1.0, 0.5]), 3)
        torch.testing.assert_close(middle, ends(actor).mean(dim=0))
        assert bool((ends(actor).abs() <= 1).all())


def test_the_same_seed_tries_the_same_candidates() -> None:
    first, again, other = (learn(make(seed=seed), sphere, range(24)) for seed in (3, 3, 4))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert len({tuple(candidate.flatten().tolist()) for candidate in first}) == 24


def test_an_actor_does_not_depend_on_which_others_were_asked_for() -> None:
    forward, backward, sparse = make(), make(), make()
    ascending = {index: ends(forward.actor(index)) for index in range(6)}
    descending = {index: ends(backward.actor(index)) for index in reversed(range(6))}
    assert all(torch.equal(ascending[index], descending[index]) for index in range(6))
    assert torch.equal(ends(sparse.actor(5)), ascending[5])


@pytest.mark.parametrize("done", [0, 5, 8, 19])
def test_a_restored_search_goes_on_with_the_same_candidates(done: int, tmp_path: Path) -> None:
    agent, restored = make(), make()
    learn(agent, sphere, range(done))
    save_tree(tmp_path / "state", agent.state())
    learn(restored, sphere, range(3))
    restored.restore(load_tree(tmp_path / "state"))
    pairs = zip(learn(agent, sphere, range(done, 30)), learn(restored, sphere, range(done, 30)), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    assert torch.equal(ends(agent.policy()), ends(restored.policy()))


@pytest.mark.parametrize("seed", range(5))
def test_it_improves_on_a_quadratic_objective_in_sixty_episodes(seed: int) -> None:
    agent = make(seed=seed)
    learn(agent, sphere, range(60))
    assert sphere(ends(agent.policy())) > 0.35 * sphere(torch.zeros(2, 2))


def test_it_moves_away_from_trainings_that_fail() -> None:
    agent = make(seed=1)
    for index in range(40):
        actor = agent.actor(index)
        failed = bool(ends(actor)[0, 0] < 0)
        agent.take(index, actor, episode(1e6 if failed else 0.0, failure="the loss is not finite" if failed else ""))
    assert ends(agent.policy())[0, 0] > 0.1


def test_what_it_cannot_work_with_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name 'progress' in env\.observation"):
        EvolutionConfig().build(replace(SPEC, observation=("ema_loss", "lr")))
    with pytest.raises(ValueError, match="population is 1: give at least"):
        EvolutionConfig(population=1)
    for sigma in (0.0, 2.1):
        with pytest.raises(ValueError, match=f"sigma is {sigma}"):
            EvolutionConfig(sigma=sigma)
