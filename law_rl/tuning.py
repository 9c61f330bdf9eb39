"""Tuning: which fields of an experiment may vary, and the configurations drawn from them."""

import dataclasses
import difflib
import itertools
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from law_rl.counters import numpy_generator
from law_rl.experiment import Experiment

Value = int | float | str | bool | None | tuple[Any, ...]
Fields = dict[str, Any]
"""Values by dotted field name."""

TUNABLE = ("agent", "env", "search")
RESAMPLE, FACTORS = 0.25, (0.8, 1.2)
DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Any number from `low` to `high`, all equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self.low, self.high)

    @property
    def ends(self) -> tuple[float, ...]:
        return (float(self.low), float(self.high))

    def at(self, share: float) -> float:
        """The value below which `share` of the draws lie, in four digits."""
        return self._within(self.low + share * (self.high - self.low))

    def near(self, value: float, factor: float) -> float:
        """The value times the factor, kept in the range."""
        return self._within(value * factor)

    def _within(self, value: float) -> float:
        return min(max(float(f"{value:.4g}"), float(self.low)), float(self.high))


@dataclass(frozen=True, kw_only=True)
class LogUniform(Uniform):
    """Any number from `low` to `high`, its logarithm equally likely everywhere: for what acts by factors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise ValueError(f"low is {self.low}: a logarithm needs a range above 0, or give Uniform")

    def at(self, share: float) -> float:
        return self._within(math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low))))


@dataclass(frozen=True, kw_only=True)
class IntUniform:
    """Any whole number from `low` to `high`, both included, all equally likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if not isinstance(self.low, int) or not isinstance(self.high, int):
            raise ValueError(f"low is {self.low!r} and high {self.high!r}: give whole numbers, or Uniform")
        _check_order(self.low, self.high)

    @property
    def ends(self) -> tuple[int, ...]:
        return (self.low, self.high)

    def at(self, share: float) -> int:
        """The value below which `share` of the draws lie."""
        return min(self.low + int(share * (self.high - self.low + 1)), self.high)

    def near(self, value: int, factor: float) -> int:
        """The value times the factor, at least one step away, kept in the range."""
        step = max(1, round(abs(value * (factor - 1))))
        return min(max(value + (step if factor > 1 else -step), self.low), self.high)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the `values`, all equally likely: numbers, texts, booleans, None, or tuples of them."""

    values: Sequence[Value]

    def __post_init__(self) -> None:
        if not self.values or isinstance(self.values, str):
            raise ValueError(f"values is {self.values!r}: give at least one value, as a tuple")
        for value in self.values:
            if not _is_plain(value):
                raise ValueError(
                    f"values holds {value!r}: give numbers, texts, booleans, None or tuples of them, and name the "
                    "fields inside a dataclass one by one (env.action.gain)"
                )
        if any(value in self.values[:place] for place, value in enumerate(self.values)):
            raise ValueError(f"values is {self.values!r}: name each value once")

    @property
    def ends(self) -> tuple[Value, ...]:
        return tuple(self.values)

    def at(self, share: float) -> Value:
        """The value below which `share` of the draws lie."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def near(self, value: Value, factor: float) -> Value:
        """The neighbour in the list: the next for a factor above 1, else the one before."""
        place = list(self.values).index(value) + (1 if factor > 1 else -1)
        return self.values[min(max(place, 0), len(self.values) - 1)]


Range = Uniform | LogUniform | IntUniform | Choice


def _check_order(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low is {low} and high {high}: give two finite numbers, the lower first")


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)


@dataclass(frozen=True, kw_only=True)
class Space:
    """What tuning may vary: ranges by dotted field name, such as {"agent.sigma": LogUniform(low=0.1, high=1.0)}.

    An experiment module holds one as `space` beside its `experiment`. Fields of agent, env and search can vary.
    """

    fields: Mapping[str, Range]

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError('fields is empty: name what varies, such as {"agent.sigma": Uniform(low=0.1, high=1.0)}')
        for name, range in self.fields.items():
            if not isinstance(range, Uniform | IntUniform | Choice):
                raise ValueError(f"{name} varies over {range!r}: give Uniform, LogUniform, IntUniform or Choice")

    def check(self, experiment: Experiment) -> None:
        """ValueError where a field is not in the experiment, or an end of its range is no value for it."""
        for name, range in self.fields.items():
            hint = field_type(experiment, name)
            for value in range.ends:
                if not _fits(value, hint):
                    raise ValueError(f"{name} is a field for {_type_name(hint)}, which {value!r} is not")
                try:
                    with_fields(experiment, {name: value})
                except ValueError as error:
                    raise ValueError(f"{name} cannot vary over {range}: {error}") from error

    def grid(self) -> list[Fields]:
        """Every combination of choices; ValueError where there is a range."""
        for name, range in self.fields.items():
            if not isinstance(range, Choice):
                raise ValueError(
                    f"a grid needs choices, but {name} varies over {range}: give Choice, or --algorithm random"
                )
        combinations = itertools.product(*(range.ends for range in self.fields.values()))
        return [dict(zip(self.fields, values, strict=True)) for values in combinations]

    def draw(self, count: int, seed: int) -> list[Fields]:
        """`count` random configurations, each another one while the space has others; a function of the seed."""
        drawn: list[Fields] = []
        for number in range(count):
            for attempt in range(DRAWS):
                fields = self._draw(numpy_generator(seed, "tune", number, attempt))
                if fields not in drawn:
                    break
            drawn.append(fields)
        return drawn

    def _draw(self, generator: np.random.Generator) -> Fields:
        return {name: range.at(float(generator.random())) for name, range in self.fields.items()}

    def explore(self, fields: Fields, generator: np.random.Generator) -> Fields:
        """A configuration near another (Jaderberg et al. 2017): each field is drawn anew one time in four, else
        multiplied by 0.8 or 1.2, or moved to a neighbouring choice.
        """
        changed: Fields = {}
        for name, range in self.fields.items():
            draw, share, side = generator.random(3)
            changed[name] = range.at(share) if draw < RESAMPLE else range.near(fields[name], FACTORS[int(side * 2)])
        return changed


def with_fields(experiment: Experiment, fields: Mapping[str, Any]) -> Experiment:
    """The experiment with fields set by dotted name, checked as usual: {"agent.sigma": 0.3}."""
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        field_type(experiment, name, tunable=None)
        *parents, last = name.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    replaced = _replace(experiment, tree)
    assert isinstance(replaced, Experiment)
    return replaced


def _replace(value: Any, tree: Mapping[str, Any]) -> Any:
    nested = {name: _replace(getattr(value, name), new) if isinstance(new, dict) else new for name, new in tree.items()}
    return dataclasses.replace(value, **nested)


def changed_fields(base: Experiment, other: Experiment) -> Fields:
    """The fields in which another experiment differs from `base`, but for name and baselines."""
    names = [name for name in _leaves(other) if name not in ("name", "baselines")]
    pairs = ((name, attrgetter(name)(other)) for name in names)
    return {name: value for name, value in pairs if attrgetter(name)(base) != value}


def field_type(experiment: Experiment, name: str, *, tunable: Sequence[str] | None = TUNABLE) -> Any:
    """The type of the field with a dotted name; ValueError with a hint where there is none that may vary."""
    first, *_ = name.split(".")
    if tunable is not None and first not in tunable and hasattr(experiment, first):
        raise ValueError(
            f"{name} cannot vary: gains on other tasks, data or evaluations cannot be compared; vary fields of "
            f"{', '.join(tunable)}"
        )
    owner: Any = experiment
    hint: Any = Experiment
    for part in name.split("."):
        if not dataclasses.is_dataclass(owner) or part not in {field.name for field in dataclasses.fields(owner)}:
            raise ValueError(_unknown(experiment, name, tunable))
        hint, owner = get_type_hints(type(owner))[part], getattr(owner, part)
    if dataclasses.is_dataclass(owner):
        inside = ", ".join(f"{name}.{field.name}" for field in dataclasses.fields(owner))
        raise ValueError(f"{name} holds several fields: name one of {inside}")
    return hint


def _unknown(experiment: Experiment, name: str, tunable: Sequence[str] | None) -> str:
    names = [entry for entry in _leaves(experiment) if tunable is None or entry.split(".")[0] in tunable]
    close = difflib.get_close_matches(name, names)
    hint = f"did you mean {' or '.join(close)}" if close else f"choose from {', '.join(names)}"
    return (
        f"{experiment.name} has no field {name}: {hint}?" if close else f"{experiment.name} has no field {name}: {hint}"
    )


def _leaves(value: Any, prefix: str = "") -> list[str]:
    names: list[str] = []
    for field in dataclasses.fields(value):
        entry, name = getattr(value, field.name), prefix + field.name
        names += _leaves(entry, name + ".") if dataclasses.is_dataclass(entry) else [name]
    return names


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = types.NoneType if hint is None else origin or hint
    return isinstance(value, kind) if isinstance(kind, type) else True


def _type_name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    names = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}
    return names.get(hint, str(hint))
