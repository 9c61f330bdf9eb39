"""The space of a tuning: what may vary, what is refused, and which configurations are drawn."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.counters import numpy_generator
from law_rl.experiment import Experiment
from law_rl.tuning import Choice, IntUniform, LogUniform, Range, Space, Uniform, changed_fields, with_fields

RANGES = [
    Uniform(low=0.1, high=1.0),
    LogUniform(low=0.1, high=1.0),
    IntUniform(low=4, high=9),
    Choice(values=("a", "b", "c")),
]


def test_fields_are_set_along_the_path(tiny_experiment: Experiment) -> None:
    fields = {"agent.sigma": 0.3, "task.data.noise.rate": 0.2, "name": "other"}
    changed = with_fields(tiny_experiment, fields)
    assert changed.agent.sigma == 0.3  # type: ignore[attr-defined]
    assert changed.task.data.noise.rate == 0.2  # type: ignore[attr-defined]
    assert changed.name == "other"
    assert changed.search == tiny_experiment.search
    assert changed_fields(tiny_experiment, changed) == {"agent.sigma": 0.3, "task.data.noise.rate": 0.2}


def test_fields_that_depend_on_each_other_are_set_together(tiny_experiment: Experiment) -> None:
    changed = with_fields(tiny_experiment, {"search.candidates": 8, "search.episodes": 40})
    assert (changed.search.candidates, changed.search.episodes) == (8, 40)


@pytest.mark.parametrize(
    ("name", "range", "words"),
    [
        ("agent.sigmma", Uniform(low=0.1, high=1.0), "no field agent.sigmma: did you mean agent.sigma"),
        ("agent.sigma.x", Uniform(low=0.1, high=1.0), "no field agent.sigma.x"),
        ("env.action", Choice(values=("loss",)), "name one of env.action.features"),
        ("task.data.train", IntUniform(low=10, high=20), "task.data.train cannot vary"),
        ("evaluation.seeds", IntUniform(low=2, high=3), "evaluation.seeds cannot vary"),
        ("agent.sigma", Uniform(low=0.1, high=3.0), "sigma is 3.0"),
        ("agent.population", IntUniform(low=2, high=8), "population is 2"),
        ("agent.population", Uniform(low=4.0, high=8.0), "a field for a whole number, which 4.0 is not"),
        ("agent.sigma", Choice(values=(0.2, "much")), "a field for a number, which 'much' is not"),
        ("env.reward", Choice(values=("increment", "none")), "'none' is not"),
        ("search.episodes", IntUniform(low=4, high=20), "search.episodes is 4"),
    ],
)
def test_what_cannot_vary_is_refused(tiny_experiment: Experiment, name: str, range: Range, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Space(fields={name: range}).check(tiny_experiment)


def test_a_sound_space_passes(tiny_experiment: Experiment) -> None:
    fields: dict[str, Range] = {
        "agent.sigma": LogUniform(low=0.1, high=1.0),
        "env.reward": Choice(values=("increment", "law")),
        "env.action.features": Choice(values=(("loss",), ("loss", "own_confidence_in_class"))),
        "search.lag": IntUniform(low=2, high=8),
    }
    Space(fields=fields).check(tiny_experiment)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Uniform(low=1.0, high=1.0), "the lower first"),
        (lambda: Uniform(low=0.0, high=float("inf")), "finite"),
        (lambda: LogUniform(low=0.0, high=1.0), "above 0"),
        (lambda: IntUniform(low=1.5, high=3), "whole numbers"),  # type: ignore[arg-type]
        (lambda: Choice(values=()), "at least one value"),
        (lambda: Choice(values=(1, 1)), "each value once"),
        (lambda: Choice(values=(Path(),)), "name the fields inside"),  # type: ignore[arg-type]
        (lambda: Space(fields={}), "fields is empty"),
        (lambda: Space(fields={"agent.sigma": (0.1, 1.0)}), "give Uniform"),  # type: ignore[dict-item]
    ],
)
def test_ranges_are_checked(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("range", RANGES, ids=lambda range: type(range).__name__)
@given(share=st.floats(0, 1, exclude_max=True), factor=st.sampled_from([0.8, 1.2]))
def test_values_stay_in_their_range(range: Range, share: float, factor: float) -> None:
    value = range.at(share)
    near = range.near(value, factor)  # type: ignore[arg-type]
    for one in (value, near):
        assert one in range.values if isinstance(range, Choice) else range.low <= one <= range.high  # type: ignore[operator]
    if isinstance(range, IntUniform) and range.low < value < range.high:  # type: ignore[operator]
        assert near != value


def test_a_logarithmic_range_is_even_in_the_logarithm() -> None:
    assert LogUniform(low=0.01, high=1.0).at(0.5) == pytest.approx(0.1)
    assert Uniform(low=0.0, high=1.0).at(0.5) == 0.5
    assert [IntUniform(low=1, high=3).at(share) for share in (0.0, 0.34, 0.67, 0.99)] == [1, 2, 3, 3]


def test_a_grid_has_every_combination_once() -> None:
    space = Space(fields={"a": Choice(values=(1, 2, 3)), "b": Choice(values=("x", "y"))})
    grid = space.grid()
    assert len(grid) == 6 == len({tuple(fields.values()) for fields in grid})
    with pytest.raises(ValueError, match="--algorithm random"):
        Space(fields={"a": Uniform(low=0.0, high=1.0)}).grid()


def test_draws_are_functions_of_the_seed_and_differ() -> None:
    space = Space(fields={"a": Choice(values=(1, 2, 3)), "b": Choice(values=("x", "y"))})
    first = space.draw(6, seed=1)
    random.seed(5), np.random.seed(5)
    assert space.draw(6, seed=1) == first
    assert space.draw(4, seed=1) == first[:4]
    assert sorted(map(str, first)) == sorted(map(str, space.grid()))
    assert len(space.draw(8, seed=1)) == 8
    assert space.draw(6, seed=2) != first


def test_exploring_moves_every_field_a_little_or_draws_it_anew() -> None:
    space = Space(fields={"a": Uniform(low=0.0, high=100.0), "b": Choice(values=(1, 2, 3))})
    explored = [space.explore({"a": 50.0, "b": 2}, numpy_generator(0, "test", k)) for k in range(200)]
    near = sum(fields["a"] in (40.0, 60.0) for fields in explored)
    assert 120 < near < 180
    assert {fields["b"] for fields in explored} == {1, 2, 3}
