"""What a table may say: names, controls and budgets."""

import dataclasses
from typing import Any

import pytest

from law_rl.learner import Directive
from law_rl.table import Row
from tests.law_rl.tables import row, table, task


class Bare:
    """A curriculum that does not tell its settings."""

    name, needs_mislabelled = "bare", False

    def directive(self, learner: object) -> Directive:
        return Directive()


@dataclasses.dataclass(frozen=True)
class Endless:
    """A task that does not tell its budget."""

    metric, device = "accuracy", "cpu"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "name is empty"),
        ({"curriculum": Bare()}, "row a: its curriculum Bare is no dataclass"),
        ({"task": Endless()}, "row a: its task does not say its epochs: give Endless a `training` with `epochs`"),
        ({"over": "", "unequal": "longer"}, "row a is held against no other: leave out unequal"),
    ],
)
def test_a_row_that_cannot_be_compared_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        row(**{"name": "a", **fields})


def test_the_usual_control_is_kd() -> None:
    assert Row(name="rco", task=task(), curriculum=row("a").curriculum).over == "kd"


LONG = {"task": task(epochs=8)}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((row("a", over=""), row("a", over="")), "two rows are called a"),
        (
            (row("a"), row("b", over="")),
            'row a is held against uniform, which is no row: let over name one of b, or ""',
        ),
        ((row("uniform"), row("b", over="")), "row uniform is held against itself: let over name one of b"),
        (
            (row("uniform", over=""), row("long", **LONG)),
            "row long takes 8 epochs and uniform, which it is held against, 4: give both the same, or say in the row's",
        ),
        (
            (row("uniform", over=""), row("same", unequal="it is slow")),
            "row same says that its budget is unequal, but it takes 4 epochs as uniform does",
        ),
        (
            (row("a", over=""), row("b", over="a", task=task(device="cuda"))),
            "rows a and b have the device cpu and cuda",
        ),
    ],
)
def test_rows_that_do_not_go_together_are_refused(rows: tuple[Row, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table(*rows)


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="table tiny has no rows"):
        table(rows=())


@pytest.mark.parametrize("metrics", [("accuracy",), ("loss", "loss")])
def test_a_metric_is_shown_once(metrics: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="name each once, and not accuracy"):
        table(metrics=metrics)


def test_another_budget_is_allowed_where_the_row_says_why() -> None:
    made = table(row("uniform", over=""), row("long", unequal="twice as long on purpose", **LONG))
    assert [one.epochs for one in made.rows] == [4, 8]


def test_rows_without_a_control_may_take_what_they_like() -> None:
    assert table(row("a", over=""), row("b", over="", **LONG)).row("b").epochs == 8


def test_chosen_rows_come_with_all_that_they_are_held_against() -> None:
    made = table(row("c", over="b"), row("other", over="a"), row("a", over=""), row("b", over="a"))
    assert [one.name for one in made.only(["c"]).rows] == ["c", "a", "b"]
    assert made.only([one.name for one in made.rows]) == made
    with pytest.raises(ValueError, match="table tiny has no row d: choose from c, other, a, b"):
        made.only(["c", "d"])


def test_rows_that_are_held_against_each_other_can_be_chosen() -> None:
    made = table(row("a", over="b"), row("b", over="a"))
    assert made.only(["a"]) == made
