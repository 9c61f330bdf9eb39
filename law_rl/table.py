"""Tables: rows of trainings, each held against a control of equal budget. A module in `experiments/` holds one as
`table`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Protocol

from law_rl.experiment import EvaluationConfig, Experiment
from law_rl.jobs import Curriculum
from law_rl.learner import Task


class Budget(Protocol):
    """What a training may spend."""

    @property
    def epochs(self) -> int: ...


class BudgetedTask(Task, Protocol):
    """A task that says how many epochs its training takes: the budget that a table holds equal."""

    @property
    def training(self) -> Budget: ...


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The curriculum of a schedule: `experiment` searches it first, then the row's task follows it on unseen seeds."""

    experiment: Experiment


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: `task` is trained under `curriculum` on every seed, without warm-up stages but those of a schedule.

    `over` names the row that it is held against, seed by seed; "" for none. That row must take as many epochs, unless
    `unequal` says why not, in words that the table prints. `note` is printed too.
    """

    name: str
    task: BudgetedTask
    curriculum: Curriculum | Learned
    over: str = "kd"
    note: str = ""
    unequal: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a row's name is empty: name what the row trains")
        if not hasattr(getattr(self.task, "training", None), "epochs"):
            raise ValueError(
                f"row {self.name}: its task does not say its epochs: give {type(self.task).__name__} a `training` "
                "with `epochs`, the budget that rows are compared at"
            )
        if not is_dataclass(self.curriculum):
            raise ValueError(
                f"row {self.name}: its curriculum {type(self.curriculum).__name__} is no dataclass: make it one, so "
                "that its finished trainings are known again by its fields"
            )
        if self.unequal and not self.over:
            raise ValueError(f"row {self.name} is held against no other: leave out unequal, or name a row in over")

    @property
    def epochs(self) -> int:
        return self.task.training.epochs


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows that are trained on the same unseen seeds and held against each other.

    The first column of numbers is the tasks' metric, gains are differences in it; `metrics` names others of the
    learners' metrics to show beside it, and `gains` those of these whose gains are shown too.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...] = ()
    gains: tuple[str, ...] = ()
    evaluation: EvaluationConfig = field(default_factory=lambda: EvaluationConfig(seeds=10))

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError(f"table {self.name} has no rows: give at least one")
        self._check_names()
        for what in ("metric", "device"):
            self._check_same(what)
        shown = (self.metric, *self.metrics)
        if len(set(shown)) < len(shown):
            raise ValueError(
                f"metrics are {', '.join(self.metrics)}: name each once, and not {self.metric}, always the first"
            )
        strange = [metric for metric in self.gains if metric not in self.metrics]
        if strange:
            raise ValueError(f"gains names {strange[0]}, which the table does not show: name it in metrics too")
        for row in self.rows:
            if row.over:
                check_budget(row, self.row(row.over))

    def _check_names(self) -> None:
        names = [row.name for row in self.rows]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two rows are called {twice[0]}: give each a name of its own")
        for row in self.rows:
            others = [name for name in names if name != row.name]
            if row.over and row.over not in others:
                why = (
                    "is held against itself" if row.over == row.name else f"is held against {row.over}, which is no row"
                )
                raise ValueError(f'row {row.name} {why}: let over name one of {", ".join(others)}, or "" for none')

    def _check_same(self, what: str) -> None:
        first = self.rows[0]
        for row in self.rows:
            mine, other = getattr(first.task, what), getattr(row.task, what)
            if mine != other:
                raise ValueError(
                    f"rows {first.name} and {row.name} have the {what} {mine} and {other}: make a table of each"
                )

    @property
    def metric(self) -> str:
        """The metric of all tasks."""
        return self.rows[0].task.metric

    @property
    def seeds(self) -> tuple[int, ...]:
        """The training seeds of every row."""
        return self.evaluation.training_seeds

    def row(self, name: str) -> Row:
        """The row of a name; ValueError where there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(f"table {self.name} has no row {name}: choose from {', '.join(row.name for row in self.rows)}")

    def only(self, names: Sequence[str]) -> "Table":
        """The table of these rows and of those that they are held against, in the order of this one."""
        wanted, waiting = set[str](), list(names)
        while waiting:
            row = self.row(waiting.pop())
            if row.name not in wanted:
                wanted.add(row.name)
                waiting += [row.over] if row.over else []
        return replace(self, rows=tuple(row for row in self.rows if row.name in wanted))


def check_budget(row: Row, control: Row) -> None:
    """ValueError where a row takes other epochs than its control without a word on it, or the same and with one."""
    if row.epochs == control.epochs and row.unequal:
        raise ValueError(
            f"row {row.name} says that its budget is unequal, but it takes {row.epochs} epochs as {control.name} "
            "does: leave out unequal"
        )
    if row.epochs != control.epochs and not row.unequal:
        raise ValueError(
            f"row {row.name} takes {row.epochs} epochs and {control.name}, which it is held against, "
            f"{control.epochs}: give both the same, or say in the row's unequal why not"
        )
