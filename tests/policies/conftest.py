"""A small problem with fabricated episodes: agents are tested without any training."""

from collections.abc import Callable

import pytest
import torch

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from law_rl.counters import torch_generator
from law_rl.observation import ENTRIES, LAW_STATE

Fabricate = Callable[[int, TableActor | MlpActor], Episode]

STAGES, WARMUP = 6, 1


@pytest.fixture
def spec() -> AgentSpec:
    return AgentSpec(
        observation=LAW_STATE,
        low=tuple(ENTRIES[name].low for name in LAW_STATE),
        high=tuple(ENTRIES[name].high for name in LAW_STATE),
        action=("weight of loss", "bias"),
        baseline=(0.0, 0.0),
        stages=STAGES,
        warmup=WARMUP,
        seed=3,
    )


@pytest.fixture
def fabricate() -> Fabricate:
    """An episode of `actor` on random observations; the reward of a stage is the first entry of its action."""

    def episode(index: int, actor: TableActor | MlpActor) -> Episode:
        generator = torch_generator(index, "fabricated episode")
        stages = torch.arange(WARMUP, STAGES + 1)
        others = torch.rand(len(stages), len(LAW_STATE) - 1, generator=generator)
        observations = torch.cat([stages[:, None].float(), others], dim=1)
        actions = torch.stack([actor.act(observations[k], WARMUP + k) for k in range(len(stages) - 1)])
        unknown = torch.full((len(actions),), torch.nan)
        return Episode(
            training_seed=index,
            observations=observations,
            actions=actions,
            rewards=actions[:, 0].clone(),
            metric=50.0 + float(actions[:, 0].sum()),
            twin_metric=50.0,
            failure="",
            weight_clean=unknown,
            weight_mislabelled=unknown,
            weight_by_loss=unknown[:, None],
        )

    return episode
