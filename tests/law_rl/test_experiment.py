from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.experiment import EvaluationConfig, Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.baselines import FocalLoss, UniformWeights


def test_the_defaults_make_an_experiment(tiny_experiment: Experiment) -> None:
    experiment = replace(tiny_experiment, search=SearchConfig(), evaluation=EvaluationConfig())
    assert experiment.setting.task is experiment.task
    assert experiment.setting.env is experiment.env
    assert experiment.evaluation.training_seeds == (1000, 1001, 1002, 1003, 1004)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (SearchConfig, {"episodes": 0}, "episodes is 0: give at least 1"),
        (SearchConfig, {"candidates": 0}, "candidates is 0: give at least 1"),
        (SearchConfig, {"lag": 0}, "lag is 0: give at least 1"),
        (EvaluationConfig, {"seeds": 1}, "seeds is 1: give at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(config: type[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": StageEnvConfig(warmup=4, pool=2)}, "env.warmup is 4 of 4 stages: leave at least one"),
        ({"env": StageEnvConfig(first_seed=999, pool=2)}, "reach seed 1000: stay below 1000"),
        ({"env": StageEnvConfig(first_seed=5000, pool=2)}, "reach seed 5001: stay below 1000"),
        (
            {"search": SearchConfig(episodes=4, candidates=2)},
            "search.episodes is 4, but 2 candidates on 2 seeds take 4",
        ),
        ({"baselines": ()}, "baselines are empty: name each once, the twin's directive first"),
        ({"baselines": (UniformWeights(), FocalLoss(), FocalLoss())}, "baselines are uniform, focal, focal"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tiny_experiment: Experiment, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        replace(tiny_experiment, **changes)
    assert "\n" not in str(raised.value)


def test_gains_are_measured_over_the_first_baseline(tiny_experiment: Experiment) -> None:
    assert tiny_experiment.reference == "uniform"
    assert replace(tiny_experiment, baselines=(FocalLoss(), UniformWeights())).reference == "focal"


@given(first=st.integers(0, 2000), pool=st.integers(1, 20), seeds=st.integers(2, 50))
def test_evaluation_seeds_never_overlap_the_pool(
    tiny_experiment: Experiment, first: int, pool: int, seeds: int
) -> None:
    env, evaluation = StageEnvConfig(first_seed=first, pool=pool), EvaluationConfig(seeds=seeds)
    search = SearchConfig(episodes=100)
    try:
        experiment = replace(tiny_experiment, env=env, evaluation=evaluation, search=search)
    except ValueError:
        assert first + pool > 1000
        return
    assert len(set(experiment.env.seeds)) == pool and len(set(experiment.evaluation.training_seeds)) == seeds
    assert not set(experiment.env.seeds) & set(experiment.evaluation.training_seeds)
