"""Population-based training: its members, without starting Ray."""

from dataclasses import replace
from typing import Any

import torch

from benchmarks.population import Member, PopulationConfig, actor_of, first_members, scheduler
from envs.digits import digits_task
from experiments.quickstart import experiment as quickstart
from law_rl.jobs import Setting
from law_rl.twins import Curve


def setting() -> Setting:
    task = digits_task()
    return Setting(task=replace(task, training=replace(task.training, epochs=4, stages=4)), env=quickstart.env)


def member(action: list[float], *, seed: int = 0) -> Member:
    curves: dict[int, Curve] = {0: (10.0,) * 5, 1: (10.0,) * 5}
    member = Member.__new__(Member)
    member.setup({"member": {"seed": seed, "action": action}}, setting(), curves)
    return member


def test_a_copy_takes_over_network_seed_and_history() -> None:
    first, second, alone = member([1.0, 0.5]), member([0.0, 0.0], seed=1), member([1.0, 0.5])
    first.step()
    second.step()
    second.load_checkpoint(first.save_checkpoint(""))
    alone.step()
    alone.reset_config({"member": {"seed": 1, "action": [0.0, 0.0]}})
    alone.load_checkpoint(first.save_checkpoint(""))
    copied, expected = second.step(), alone.step()
    assert copied == expected
    assert copied["history"] == [[1.0, 0.5], [0.0, 0.0]]


def test_the_value_is_the_advantage_over_the_twin() -> None:
    trained = member([0.0, 0.0])
    learner = setting().task.learner(0)
    for _ in range(2):
        learner.train_stage(quickstart.env.action.directive([0.0, 0.0]))
    assert trained.step()["advantage"] == learner.evaluate("validation")["accuracy"] - 10.0


def test_first_members_share_the_pools_seeds() -> None:
    members = first_members(quickstart, 7)
    assert [member["seed"] for member in members] == [0, 1, 2, 3, 4, 0, 1]
    assert members == first_members(quickstart, 7)
    assert len({tuple(member["action"]) for member in members}) == 7


def test_steps_stay_inside_the_box() -> None:
    explore: Any = scheduler(PopulationConfig(step=5.0), seed=0)._custom_explore_fn
    moved = explore({"member": {"seed": 3, "action": [0.0] * 8}})["member"]
    assert moved["seed"] == 3
    assert max(map(abs, moved["action"])) == 1.0
    assert len(set(moved["action"])) > 1


def test_actions_stand_at_their_stages() -> None:
    actor = actor_of([[0.25], [0.5]], warmup=1)
    assert [actor.act(torch.zeros(1), stage).item() for stage in (1, 2)] == [0.25, 0.5]
