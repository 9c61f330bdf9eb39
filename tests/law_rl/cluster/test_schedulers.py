"""Schedulers: decisions repeat, leave the global generators alone, and copy nothing that has no finite gain."""

import math
import random
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from law_rl.cluster.schedulers import SeededHalving, SeededPopulation, check_algorithm, global_draws, optuna_searcher
from law_rl.experiment import Experiment
from law_rl.tuning import Choice, IntUniform, LogUniform, Space, Uniform

SPACE = Space(fields={"agent.sigma": Uniform(low=0.1, high=1.0)})
SIGMAS = (0.2, 0.4, 0.6, 0.8)


class FakeTrial:
    """As much of a Tune trial as a scheduler sees."""

    def __init__(self, number: int) -> None:
        self.trial_id = self.experiment_tag = str(number)
        self.config: dict[str, Any] = {"number": number}
        self.status, self.checkpoint = "RUNNING", f"checkpoint of {number}"
        self.temporary_state = SimpleNamespace(saving_to=None)
        manager = SimpleNamespace(checkpoint_config=SimpleNamespace(num_to_keep=3), _latest_checkpoint_result=None)
        self.run_metadata = SimpleNamespace(checkpoint_manager=manager)

    def is_finished(self) -> bool:
        return False

    def set_experiment_tag(self, tag: str) -> None:
        self.experiment_tag = tag

    def set_config(self, config: dict[str, Any]) -> None:
        self.config = config

    @property
    def copied(self) -> Any:
        """The checkpoint that the trial was told to go on from."""
        result = self.run_metadata.checkpoint_manager._latest_checkpoint_result
        return result and result.checkpoint


class FakeController:
    """As much of Tune's controller as a scheduler asks for."""

    search_alg = None

    def __init__(self, trials: list[FakeTrial]) -> None:
        self._trials = trials

    def get_trials(self) -> list[FakeTrial]:
        return self._trials

    def get_live_trials(self) -> list[FakeTrial]:
        return self._trials

    def _schedule_trial_save(self, trial: FakeTrial, result: Any) -> str:
        return trial.checkpoint

    def pause_trial(self, trial: FakeTrial, should_checkpoint: bool) -> None:
        trial.status = "PAUSED"


def population(experiment: Experiment, gains: list[float], *, seed: int = 0, dead: int = -1) -> list[FakeTrial]:
    """Trials after each has reported its gain to population-based training, but for a dead one, which fails last."""
    scheduler = SeededPopulation(SPACE, experiment, seed=seed, interval=5)
    scheduler.set_search_properties("gain", "max")
    trials = [FakeTrial(number) for number in range(len(gains))]
    controller = FakeController(trials)
    for trial in trials:
        scheduler.on_trial_add(controller, trial)
    for trial, gain, sigma in zip(trials, gains, SIGMAS, strict=True):
        result = {"gain": gain, "episodes": 5, "fields/agent.sigma": sigma, "status": "running"}
        if int(trial.trial_id) != dead and scheduler.on_trial_result(controller, trial, result) == "PAUSE":
            trial.status = "PAUSED"
    if dead >= 0:
        scheduler.on_trial_error(controller, trials[dead])
    return trials


def test_the_others_go_on_without_a_trial_that_failed(tiny_experiment: Experiment) -> None:
    trials = population(tiny_experiment, [-3.0, 1.0, 2.0, 4.0], dead=2)
    assert [trial.copied for trial in trials] == ["checkpoint of 3", None, None, None]


def test_a_trial_whose_search_has_ended_is_left_alone(tiny_experiment: Experiment) -> None:
    scheduler = SeededPopulation(SPACE, tiny_experiment, seed=0, interval=5)
    assert scheduler.on_trial_result(None, FakeTrial(0), {"status": "finished"}) == "CONTINUE"


def test_a_poor_trial_goes_on_from_a_good_one_with_a_changed_agent(tiny_experiment: Experiment) -> None:
    trials = population(tiny_experiment, [-3.0, 1.0, 2.0, 4.0])
    assert [trial.copied for trial in trials] == ["checkpoint of 3", None, None, None]
    config = trials[0].config
    assert config["number"] == 0
    assert 0.1 <= config["fields"]["agent.sigma"] <= 1.0
    assert config["fields"]["agent.sigma"] != 0.2


@pytest.mark.parametrize("gain", [math.inf, math.nan, -math.inf])
def test_what_is_no_number_is_never_copied(tiny_experiment: Experiment, gain: float) -> None:
    trials = population(tiny_experiment, [1.0, gain, 2.0, 3.0])
    assert "checkpoint of 1" not in [trial.copied for trial in trials]
    assert trials[1].copied == "checkpoint of 3"


def test_where_nothing_is_a_number_nothing_is_copied(tiny_experiment: Experiment) -> None:
    trials = population(tiny_experiment, [math.inf, math.nan, math.inf, -math.inf])
    assert [trial.copied for trial in trials] == [None] * 4


def untouched(act: Callable[[], Any]) -> Any:
    """What `act` returns; the global generators must stand where they stood before."""
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    result = act()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]
    return result


def test_decisions_repeat_and_leave_the_global_generators_alone(tiny_experiment: Experiment) -> None:
    def configs(seed: int) -> list[dict[str, Any]]:
        return [trial.config for trial in population(tiny_experiment, [-3.0, 1.0, 2.0, 4.0], seed=seed)]

    random.seed(1), np.random.seed(1)
    first = untouched(lambda: configs(0))
    random.seed(2), np.random.seed(2)
    assert untouched(lambda: configs(0)) == first
    assert untouched(lambda: configs(1)) != first


def test_halving_leaves_the_global_generators_alone() -> None:
    scheduler = SeededHalving(seed=0, grace=2, most=20)
    scheduler.set_search_properties("gain", "max")
    untouched(lambda: scheduler.on_trial_add(None, FakeTrial(0)))


def test_global_draws_are_functions_of_their_counters() -> None:
    def draws(*counters: int) -> tuple[float, float]:
        with global_draws(0, "test", *counters):
            return random.random(), np.random.random()

    assert untouched(lambda: draws(1)) == draws(1) != draws(2)


def test_population_based_training_changes_agents_only() -> None:
    with pytest.raises(ValueError, match=r"which env\.reward cannot"):
        check_algorithm("pbt", Space(fields={"env.reward": Choice(values=("increment", "law"))}))
    check_algorithm("pbt", SPACE)


def test_a_missing_optuna_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'law-rl\[tune\]'"):
        check_algorithm("optuna", SPACE)


def test_optuna_suggests_known_configurations_first_and_repeats() -> None:
    pytest.importorskip("optuna")
    space = Space(
        fields={
            "agent.sigma": LogUniform(low=0.1, high=1.0),
            "agent.population": IntUniform(low=4, high=8),
            "env.reward": Choice(values=("increment", "law")),
            "env.first_seed": Choice(values=((1, 2), None)),
        }
    )
    known = [{"agent.sigma": 0.123, "agent.population": 5, "env.reward": "law", "env.first_seed": (1, 2)}]

    def suggest(known: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
        searcher = optuna_searcher(space, seed=seed, known=known)
        return [searcher.suggest(str(number)) for number in range(3)]  # type: ignore[misc]

    suggested = untouched(lambda: suggest(known, 0))
    assert suggested[0] == {"number": 0, "fields": known[0]}
    assert [one["number"] for one in suggested] == [0, 1, 2]
    assert suggest(known, 0) == suggested != suggest(known, 1)
    assert suggest([], 0)[0]["fields"] not in [one["fields"] for one in suggested]
