"""How divergences become changes, standings and a verdict on RCO's claim."""

from typing import Any

import pytest

from benchmarks.divergence_tables import ALONE, change, conclusion, growth, report, standings
from benchmarks.divergence_tables import verdict as verdict_of


def part(
    term: str, values: dict[str, list[float]], anchors: dict[str, tuple[str, str]] | None = None
) -> dict[str, Any]:
    """A part with the same divergences on both splits, of which `alone` are those of the teacher alone, and all others
    those of routes; `anchors`: by epoch, the students of it alone and led to it.
    """
    splits = ("train", "validation")
    constant = dict.fromkeys(splits, 10.0)
    return {
        "title": "a setting",
        "term": term,
        "students": {label: {split: {"values": ends} for split in splits} for label, ends in values.items()},
        "routes": {ALONE: "alone", **{name: name for name in values if name != "alone"}},
        "by_anchor": {
            epoch: {"alone": alone, "led": led, "constant": constant} for epoch, (alone, led) in (anchors or {}).items()
        },
    }


def test_a_change_is_that_of_the_geometric_mean_over_pairs() -> None:
    halved = change(part("kd", {"alone": [1.0, 3.0, 40.0], "led": [0.5, 1.5, 20.0]}), "led", "alone", "train")
    assert (halved.mean, halved.low, halved.high) == pytest.approx((-50.0, -50.0, -50.0))
    both = change(part("kd", {"alone": [1.0, 10.0], "led": [4.0, 10.0]}), "led", "alone", "train")
    assert both.mean == pytest.approx(100.0)
    assert both.low < 0 < both.high
    assert (1 + both.low / 100) * (1 + both.high / 100) == pytest.approx(4.0)  # even about the mean in logs


def test_standings_count_what_the_intervals_exclude() -> None:
    low, open_, high = ([0.5, 0.7, 0.5], [0.5, 1.6, 0.9], [1.5, 1.7, 1.5])
    parts = [part("kd", {"alone": [1.0, 1.1, 1.0], "led": values, "same": low}) for values in (low, open_, high, high)]
    counts = standings([*parts, part("hint", {"alone": [1.0, 1.0], "led": [0.1, 0.2]})], "kd", "validation")
    assert counts == {"led": (1, 2, 1), "same": (4, 0, 0)}


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({"a": (0, 0, 3), "b": (3, 0, 0)}, "yes"),
        ({"a": (2, 0, 1), "b": (0, 3, 0)}, "in part"),
        ({"a": (1, 1, 1), "b": (0, 0, 3)}, "no"),
    ],
)
def test_the_verdict(counts: dict[str, tuple[int, int, int]], verdict: str) -> None:
    assert verdict_of(counts) == verdict


LOWER, HIGHER = {"alone": [1.0, 2.0, 3.0], "led": [0.5, 1.1, 1.4]}, {"alone": [1.0, 2.0, 3.0], "led": [1.5, 3.1, 4.4]}


def test_the_conclusion_names_the_terms_that_hold() -> None:
    assert "on train images kd; on validation images kd. The claim, lower for each of kd, hint, does not hold" in (
        conclusion([part("kd", LOWER), part("hint", HIGHER)])
    )
    assert "lower for each of kd, hint, holds" in conclusion([part("kd", LOWER), part("hint", LOWER)])
    assert "train images none" in conclusion([part("kd", LOWER), part("kd", HIGHER)])


def test_growth_is_from_the_first_anchor_to_the_last() -> None:
    anchors = {"1": ("early", "early"), "2": ("led", "led"), "3": ("alone", "led")}
    grown = part("kd", {"early": [0.5, 1.0, 1.5], **LOWER}, anchors)
    shrunk = part("mimic", {"early": [2.0, 4.1, 6.0], **LOWER}, anchors)
    assert "leaves 0.5 to 2.0 times the gap" in growth([grown, shrunk]) and "in 2 of 4 cases" in growth([grown, shrunk])


def test_the_report_has_a_row_for_every_split_and_anchor() -> None:
    anchors = {"1": ("led", "led"), "3": ("alone", "led")}
    text = report([part("kd", LOWER, anchors), part("mimic", HIGHER)])
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    by_split = [row for row in rows if row[0] == "a setting"]
    assert [row[1:3] for row in by_split] == [
        [term, split] for term in ("kd", "mimic") for split in ("train", "validation")
    ]
    assert by_split[0][4].startswith("-49.56") and by_split[2][4].startswith("+50.52")
    last = [row for row in rows if row[0] == "3"]
    assert [row[:3] for row in last] == [["3", "1.82", "18.2"]] * 2 and last[0][3].startswith("-49.56")
