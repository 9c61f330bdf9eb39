"""The algorithms of a tuning in Ray Tune, each with draws that are functions of the seed alone."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, PopulationBasedTraining, TrialScheduler
from ray.tune.search import Searcher

from law_rl.counters import counter_seed, numpy_generator
from law_rl.experiment import Experiment
from law_rl.trials import FLOOR
from law_rl.tuning import Choice, Fields, IntUniform, LogUniform, Range, Space, with_fields

Algorithm = Literal["grid", "random", "asha", "pbt", "optuna"]
METRIC, TIME = "gain", "episodes"
FIELDS = "fields/"
"""Where schedulers find the configuration in a result, which Ray flattens for them."""
EXPLORING_ATTEMPTS = 20
DECISIONS = 5
"""How often population-based training looks at a trial, about."""


@contextmanager
def global_draws(seed: int, purpose: str, *counters: int) -> Iterator[None]:
    """Inside, the global generators that Ray Tune draws from start at the counters; after, as before."""
    before = random.getstate(), np.random.get_state()
    value = counter_seed(seed, purpose, *counters)
    random.seed(value)
    np.random.seed(value % 2**32)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


class SeededPopulation(PopulationBasedTraining):
    """Population-based training (Jaderberg et al. 2017) whose every decision is drawn from (seed, trial, episodes).

    A trial in the lowest quarter goes on from a copy of one in the highest, with a configuration near that one's. It is
    decided when all have come equally far, so that timing changes nothing. What has no finite gain is never copied.
    """

    def __init__(self, space: Space, experiment: Experiment, *, seed: int, interval: int) -> None:
        super().__init__(
            time_attr=TIME,
            perturbation_interval=interval,
            custom_explore_fn=dict,
            log_config=False,
            synch=True,
        )
        self._space, self._experiment, self._seed = space, experiment, seed
        self._fields: dict[Any, Fields] = {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if result["status"] != "running":  # the search has ended: there is nothing left to change
            return TrialScheduler.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Decides without a trial that failed for good, where all others wait for it."""
        state = self._trial_state[trial]
        state.last_score, state.last_train_time = None, int(self._next_perturbation_sync)
        waiting = [other for other in tune_controller.get_live_trials() if other is not trial]
        if waiting and all(self._trial_state[one].last_train_time >= self._next_perturbation_sync for one in waiting):
            last = self._trial_state[waiting[0]].last_result
            assert last is not None
            self.on_trial_result(tune_controller, waiting[0], last)

    def _save_trial_state(self, state: Any, time: int, result: dict[str, Any], trial: Any) -> Any:
        reported = {name.removeprefix(FIELDS): value for name, value in result.items() if name.startswith(FIELDS)}
        self._fields[trial] = reported
        if not np.isfinite(result[METRIC]):
            result = result | {METRIC: FLOOR}
        return super()._save_trial_state(state, time, result, trial)

    def _checkpoint_or_exploit(
        self, trial: Any, tune_controller: Any, upper_quantile: list[Any], lower_quantile: list[Any]
    ) -> None:
        sound = [other for other in upper_quantile if (self._trial_state[other].last_score or 0.0) > FLOOR]
        with global_draws(self._seed, "pbt", *self._counters(trial)):
            super()._checkpoint_or_exploit(trial, tune_controller, sound, lower_quantile if sound else [])

    def _get_new_config(self, trial: Any, trial_to_clone: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """A configuration near the one that the donor reported last."""
        generator = numpy_generator(self._seed, "pbt explore", *self._counters(trial))
        return {"number": trial.config["number"], "fields": self._explore(self._fields[trial_to_clone], generator)}, {}

    def _explore(self, donor: Fields, generator: np.random.Generator) -> Fields:
        for _ in range(EXPLORING_ATTEMPTS):
            fields = self._space.explore(donor, generator)
            try:
                with_fields(self._experiment, fields)
            except ValueError:
                continue
            return fields
        return donor

    def _counters(self, trial: Any) -> tuple[int, int]:
        return trial.config["number"], self._trial_state[trial].last_train_time


class SeededHalving(AsyncHyperBandScheduler):
    """Asynchronous successive halving (Li et al. 2020): at each rung of episodes a trial below the best third of those
    that came so far is stopped.
    """

    def __init__(self, *, seed: int, grace: int, most: int) -> None:
        super().__init__(time_attr=TIME, grace_period=grace, max_t=most, reduction_factor=3, stop_last_trials=False)
        self._seed = seed

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        with global_draws(self._seed, "asha"):
            super().on_trial_add(tune_controller, trial)


def scheduler(algorithm: Algorithm, space: Space, experiment: Experiment, *, seed: int) -> TrialScheduler:
    """Which trials go on, as the algorithm has it."""
    pool, config = experiment.env.pool, experiment.search
    if algorithm == "pbt":
        exploring = config.episodes - config.candidates * pool
        interval = pool * max(1, round(exploring / pool / DECISIONS))
        return SeededPopulation(space, experiment, seed=seed, interval=interval)
    if algorithm == "asha":
        return SeededHalving(seed=seed, grace=pool, most=config.episodes)
    return FIFOScheduler()  # type: ignore[no-untyped-call]


def check_algorithm(algorithm: Algorithm, space: Space) -> None:
    """ValueError where the algorithm cannot vary the space's fields, or needs what is not installed."""
    if algorithm == "pbt":
        fixed = [name for name in space.fields if not name.startswith("agent.")]
        if fixed:
            raise ValueError(
                f"pbt changes a search under way, which {', '.join(fixed)} cannot: leave only fields of agent in the "
                "space, or choose another --algorithm"
            )
    if algorithm == "optuna":
        try:
            import optuna  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "--algorithm optuna needs the package optuna: pip install 'law-rl[tune]', or choose another"
            ) from error


def optuna_searcher(space: Space, *, seed: int, known: Sequence[Fields]) -> Searcher:
    """Optuna's tree-structured Parzen estimator; it begins with the `known` configurations, in their order."""
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    class NumberedSearch(OptunaSearch):
        """Gives configurations as trials take them: a number and values by field name."""

        number = 0

        def suggest(self, trial_id: str) -> dict[str, Any] | None:
            suggested = super().suggest(trial_id)
            if suggested is None:
                return None
            fields = {name: _decoded(space.fields[name], value) for name, value in suggested.items()}
            self.number += 1
            return {"number": self.number - 1, "fields": fields}

    points = [{name: _encoded(space.fields[name], value) for name, value in fields.items()} for fields in known]
    return NumberedSearch(
        space={name: _distribution(range) for name, range in space.fields.items()},
        metric=METRIC,
        mode="max",
        points_to_evaluate=points or None,
        seed=counter_seed(seed, "optuna", len(points)) % 2**32,
    )


def _distribution(range: Range) -> Any:
    import optuna

    match range:
        case Choice(values=values):
            return optuna.distributions.CategoricalDistribution([place for place, _ in enumerate(values)])
        case IntUniform(low=low, high=high):
            return optuna.distributions.IntDistribution(low, high)
        case LogUniform(low=low, high=high):
            return optuna.distributions.FloatDistribution(low, high, log=True)
    return optuna.distributions.FloatDistribution(range.low, range.high)


def _decoded(range: Range, value: Any) -> Any:
    return range.values[value] if isinstance(range, Choice) else value


def _encoded(range: Range, value: Any) -> Any:
    return list(range.values).index(value) if isinstance(range, Choice) else value
