import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.rewards import Progress, Reward, RewardName, law_factor

POINTS = st.floats(0, 100)
STAGES = st.lists(st.tuples(POINTS, POINTS, POINTS), min_size=1, max_size=12)
NAMES = get_args(RewardName)


@pytest.mark.parametrize(
    ("epoch", "shown"), [(0, "0.0013"), (15, "0.0047"), (30, "0.016"), (45, "0.057"), (59, "0.184")]
)
def test_laws_factors_for_sixty_epochs(epoch: int, shown: str) -> None:
    factor = law_factor(Progress(epoch=epoch, epochs=60))
    assert f"{factor:.{len(shown) - 2}f}" == shown
    assert factor == pytest.approx(0.2 * math.exp(5 * epoch / 60) / math.exp(5), rel=1e-12)


def test_laws_factor_counts_whole_epochs() -> None:
    at = [law_factor(Progress(epoch=epoch, epochs=10)) for epoch in (3.0, 3.5, 3.999, 4.0)]
    assert at[0] == at[1] == at[2] < at[3]


def run(name: RewardName, start: tuple[float, float], stages: list[tuple[float, float, float]]) -> list[float]:
    reward = Reward(name=name)
    reward.start(*start)
    return [
        reward.stage(learner=learner, twin=twin, stored=stored, progress=Progress(epoch=k + 0.9, epochs=len(stages)))
        for k, (learner, twin, stored) in enumerate(stages)
    ]


@settings(max_examples=60, deadline=None)
@given(st.tuples(POINTS, POINTS), STAGES)
def test_each_reward_is_its_definition(start: tuple[float, float], stages: list[tuple[float, float, float]]) -> None:
    before, average = start[0] - start[1], start[0]
    rewards = {name: run(name, start, stages) for name in NAMES}
    for k, (learner, twin, stored) in enumerate(stages):
        factor = 2 * math.exp(5 * k / len(stages) - 5) / 10
        expected = {
            "increment": (learner - twin) - before,
            "law": factor * (learner - twin),
            "raw": learner,
            "minus_stored": learner - stored,
            "minus_own_average": learner - average,
        }
        assert set(expected) == set(NAMES)
        for name in NAMES:
            assert rewards[name][k] == pytest.approx(expected[name], rel=1e-9, abs=1e-9)
        before, average = learner - twin, 0.8 * average + 0.2 * learner


@given(POINTS, STAGES)
def test_increments_add_up_to_the_final_advantage(common: float, stages: list[tuple[float, float, float]]) -> None:
    total = math.fsum(run("increment", (common, common), stages))
    assert total == pytest.approx(stages[-1][0] - stages[-1][1], abs=1e-9)


@given(st.tuples(POINTS, POINTS), STAGES, STAGES)
def test_a_restored_reward_goes_on(
    start: tuple[float, float],
    past: list[tuple[float, float, float]],
    future: list[tuple[float, float, float]],
) -> None:
    progress = Progress(epoch=1.0, epochs=10)
    for name in NAMES:
        one, other = Reward(name=name), Reward(name=name)
        one.start(*start)
        for learner, twin, stored in past:
            one.stage(learner=learner, twin=twin, stored=stored, progress=progress)
        other.restore(one.state())
        for learner, twin, stored in future:
            rewards = [e.stage(learner=learner, twin=twin, stored=stored, progress=progress) for e in (one, other)]
            assert rewards[0] == rewards[1]


def test_a_new_episode_forgets_the_one_before() -> None:
    reward = Reward(name="increment")
    progress = Progress(epoch=1.0, epochs=2)
    reward.start(10.0, 10.0)
    reward.stage(learner=60.0, twin=50.0, stored=0.0, progress=progress)
    reward.start(20.0, 20.0)
    assert reward.stage(learner=25.0, twin=24.0, stored=0.0, progress=progress) == 1.0
