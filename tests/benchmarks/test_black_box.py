"""Black-box searchers on a problem whose best action is known."""

from typing import Literal

import pytest
import torch

from benchmarks.black_box import BlackBox, BlackBoxConfig
from law_rl.actor import TableActor
from law_rl.agent import AgentSpec, Episode

Sampler = Literal["tpe", "random"]
Weighting = Literal["constant", "two_phase"]
SPEC = AgentSpec(
    observation=("progress",),
    low=(0.0,),
    high=(1.0,),
    action=("a", "b"),
    baseline=(0.0, 0.0),
    stages=6,
    warmup=1,
    seed=7,
)


def episode(actor: TableActor, *, failure: str = "") -> Episode:
    """Best where every action is (0.5, -0.5)."""
    actions = torch.stack([actor.act(torch.zeros(1), stage) for stage in range(1, SPEC.stages)])
    advantage = -float((actions - torch.tensor([0.5, -0.5])).square().mean())
    nothing = torch.full((len(actions),), torch.nan)
    return Episode(
        training_seed=0,
        observations=torch.zeros(len(actions) + 1, 1),
        actions=actions,
        rewards=torch.zeros(len(actions)),
        metric=advantage,
        twin_metric=0.0,
        failure=failure,
        weight_clean=nothing,
        weight_mislabelled=nothing,
        weight_by_loss=nothing[:, None],
    )


def search(config: BlackBoxConfig, trials: int, lag: int = 4) -> tuple[BlackBox, list[float]]:
    agent, advantages = config.build(SPEC), []
    actors = {index: agent.actor(index) for index in range(lag)}
    for index in range(trials):
        ended = episode(actors[index])
        advantages.append(ended.advantage)
        agent.take(index, actors[index], ended)
        actors[index + lag] = agent.actor(index + lag)
    return agent, advantages


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("weighting", ["constant", "two_phase"])
def test_the_policy_is_that_of_the_second_best_trial(sampler: Sampler, weighting: Weighting) -> None:
    agent, advantages = search(BlackBoxConfig(sampler=sampler, weighting=weighting), 20)
    assert episode(agent.policy()).advantage == sorted(advantages)[-2]


def test_tpe_looks_where_it_was_good() -> None:
    _, advantages = search(BlackBoxConfig(sampler="tpe"), 40)
    assert sum(advantages[-10:]) / 10 > sum(advantages[:10]) / 10 + 0.1


def test_a_search_repeats_itself() -> None:
    assert search(BlackBoxConfig(), 15)[1] == search(BlackBoxConfig(), 15)[1]


def test_two_phases_hold_one_action_each() -> None:
    actor = BlackBoxConfig(weighting="two_phase").build(SPEC).actor(0)
    assert actor.actions.shape == (SPEC.stages, 2)
    assert len(set(map(tuple, actor.actions[SPEC.warmup :].tolist()))) == 2


def test_failed_trainings_are_never_the_policy() -> None:
    agent = BlackBoxConfig().build(SPEC)
    actor = agent.actor(0)
    agent.take(0, actor, episode(actor, failure="the loss is not finite"))
    assert agent.policy().actions.abs().sum() == 0
