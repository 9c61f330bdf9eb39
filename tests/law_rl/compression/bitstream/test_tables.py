"""The coder's integers: those that do not fit together are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from law_rl.compression.bitstream.tables import LatentTables
from tests.law_rl.compression.bitstream.models import WIDTH, tiny_model

Change = Callable[[NDArray[Any]], NDArray[Any]]


def changed(name: str, change: Change) -> dict[str, NDArray[Any]]:
    arrays = tiny_model().tables.arrays()
    return arrays | {name: change(arrays[name].copy())}


def put(place: int, value: int) -> Change:
    def change(array: NDArray[Any]) -> NDArray[Any]:
        array[place] = value
        return array

    return change


def test_arrays_and_back() -> None:
    tables = tiny_model().tables
    again = LatentTables.of_arrays(tables.arrays()).arrays()
    assert all((again[name] == array).all() for name, array in tables.arrays().items())


def test_a_table_for_each_channel_adds_up() -> None:
    tables = tiny_model().tables.prior_tables()
    assert len(tables) == WIDTH
    assert all(table.counts.sum() == 2**24 for table in tables)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("tails", put(0, 5), "tails does not fall"),
        ("tails", put(3, 2**30), "tails does not fall"),
        ("tails", put(-1, 1), "tails does not fall"),
        ("tails", lambda a: a.astype(np.int64), "tails is int64"),
        ("exponentials", put(2, 0), "exponentials does not fall"),
        ("exponentials", lambda a: a[:0], "exponentials is int32"),
        ("inverse_scales", lambda a: a[:-1], "64 levels"),
        ("inverse_scales", lambda a: a[::-1].copy(), "64 levels"),
        ("inverse_scales", put(-1, 1), "inverse_scales goes from"),
        ("inverse_scales", put(0, 2**50), "inverse_scales goes from"),
        ("prior_firsts", lambda a: a[1:], "prior_sizes does not fit"),
        ("prior_sizes", put(0, 1), "prior_sizes does not fit"),
        ("prior_sizes", put(0, 2**31 - 1), "prior_counts does not fit"),
        ("prior_counts", put(0, 0), "prior_counts does not fit"),
        ("prior_counts", put(0, 2**31 - 1), "does not add up"),
        ("prior_counts", lambda a: a[None], "prior_counts is int32"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, change: Change, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LatentTables.of_arrays(changed(name, change))


def test_missing_and_foreign_arrays_are_refused() -> None:
    arrays = tiny_model().tables.arrays()
    with pytest.raises(ValueError, match="the tables are"):
        LatentTables.of_arrays(arrays | {"more": arrays["tails"]})
    with pytest.raises(ValueError, match="missing"):
        LatentTables.of_arrays({})
