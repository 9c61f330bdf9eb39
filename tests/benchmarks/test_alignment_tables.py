"""How rates of networks become gains, verdicts and sentences."""

from typing import Any

import pytest

from benchmarks.alignment_tables import (
    ALIKE,
    COSINE,
    DEFAULT,
    PEER,
    PEER_ALIKE,
    TUNED,
    differences,
    effect,
    gain,
    kept_gain,
    report,
    robustness,
    share,
    verdict,
)

OURS = "shift, gallery"
SETTINGS: Any = {"plain": {OURS: "top 5, beta 1", PEER: "top 20"}}
GAINS = {"plain": 1.0, "dark": -1.0, "mixed": 3.0}


def rates(tar: float) -> dict[str, float]:
    return {"TAR@0.01": tar, "TAR@0.001": tar / 2, "EER": 100 - tar}


def network(
    number: int, *, gains: dict[str, float] = GAINS, learned: float = 0.9, peer: float = 0.5, persons: float = 1.0
) -> dict[str, Any]:
    """The cosine has 60 %, a bit different from network to network, as have the gains by condition; the learned
    estimator keeps the share `learned`.
    """
    cosine, noise = 60.0 + number, 0.01 * number
    conditions = {
        condition: {
            "rates": {
                COSINE: rates(cosine),
                DEFAULT: rates(cosine + more + noise),
                TUNED: rates(cosine + 2 * more + noise),
                ALIKE: rates(cosine + 0.5 * more),
                PEER: rates(cosine + peer),
                PEER_ALIKE: rates(cosine + peer),
            },
            "spread": {"mu": 0.05, "impostor": 0.1, "correlation": 0.25},
        }
        for condition, more in gains.items()
    }
    kept = {"gallery": (1.0, 0.0), "constant": (0.0, 0.05), "virtual": (0.5, 0.3), "learned": (learned, 0.04)}
    return {
        "rates": {COSINE: rates(cosine), OURS: rates(cosine + gains["plain"] + noise), PEER: rates(cosine + peer)},
        "bootstrap": {OURS: {"TAR@0.01": {"mean": persons, "ci95": [persons - 0.9, persons + 1.1]}}}
        if not number
        else {},
        "conditions": conditions,
        "estimators": {
            condition: {
                name: {"rmse": rmse, "r2": 0.5, "rates": rates(cosine + part * gains[condition])}
                for name, (part, rmse) in kept.items()
            }
            for condition in ("plain", "mixed")
        },
    }


def networks(**changes: Any) -> list[dict[str, Any]]:
    return [network(number, **changes) for number in range(3)]


def test_gains_are_paired_over_networks() -> None:
    tests = networks()
    assert gain(tests, "TAR@0.01", OURS).mean == pytest.approx(1.01)
    assert gain(tests, "TAR@0.001", "conditions", "mixed", TUNED).mean == pytest.approx(3.005)
    assert gain(tests, "EER", "estimators", "mixed", "learned").mean == pytest.approx(-2.7)
    interval = gain(tests, "TAR@0.01", OURS)
    assert 0.98 < interval.low < 1 < interval.high < 1.04  # cosines differ by 2 points, gains by 0.02


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "excludes zero over networks and excludes zero over persons; +0.51"),
        ({"persons": 0.5}, "excludes zero over networks and does not exclude zero over persons"),
        ({"gains": {**GAINS, "plain": 0.0}}, "does not exclude zero over networks and"),
        ({"peer": 2.0}, "persons; -0.99"),
    ],
)
def test_the_verdict_on_the_default(changes: dict[str, Any], words: str) -> None:
    text = verdict(OURS, SETTINGS, networks(**changes))
    assert text.startswith("Validation prefers shift, gallery (top 5, beta 1)") and words in text


def test_the_effect_stands_beside_dams() -> None:
    text = effect(networks())
    assert "+1.01 points at FAR 1 % (-2.6 % of the genuine pairs refused)" in text
    assert "+0.51 points at FAR 0.1 % (-0.7 %" in text
    assert "+0.10 on IJB-C (-2.6 %) and +0.32 on IJB-B (-6.2 %)" in text


def test_how_much_statistics_differ() -> None:
    tests = networks()
    for test in tests:
        test["conditions"]["mixed"]["spread"] = {"mu": 0.2, "impostor": 0.3, "correlation": -0.5}
    assert differences(tests).endswith(
        "on plain images mu has a std of 0.050 against 0.100 of impostor cosines, of whose variance a pair's mean mu "
        "explains 6 %; on mixed images mu has a std of 0.200 against 0.300 of impostor cosines, of whose variance a "
        "pair's mean mu explains 25 %."
    )


def test_the_condition_of_the_largest_gain_is_named() -> None:
    text = robustness(networks())
    assert "`default` on mixed images (+3.01" in text and "loses on dark)" in text
    assert "`as_norm` on plain images (+0.50 [+0.50, +0.50]; loses on none)" in text
    assert "`tuned` on dark images" in robustness(networks(gains={"plain": 1.0, "dark": 2.0, "mixed": 0.5}))


def test_a_loss_is_one_that_excludes_zero() -> None:
    tests = [network(number, gains={**GAINS, "dark": dark}) for number, dark in enumerate((-1.0, 0.8, -0.3))]
    assert "dark" not in robustness(tests)


def test_a_share_needs_a_gain() -> None:
    assert share(networks(), "TAR@0.01", "mixed", "learned") == pytest.approx(90)
    assert share(networks(gains={**GAINS, "plain": 0.0}), "TAR@0.01", "plain", "learned") is None
    assert "on plain images no gain of the gallery's to keep" in kept_gain(networks(gains={**GAINS, "plain": -1.0}))


def test_the_learned_estimator_beats_those_with_larger_errors() -> None:
    part = "90 % of the gallery's gain in"
    words = f"on plain images {part} TAR@0.01 and {part} TAR@0.001 (aim 80 %), with a smaller error of mu than constant"
    assert f"{words}, virtual;" in kept_gain(networks())
    tests = networks()
    for test in tests:
        test["estimators"]["plain"]["learned"]["rmse"] = 0.2
    assert "with a smaller error of mu than virtual; on mixed" in kept_gain(tests)


def test_the_report_has_a_row_for_everything() -> None:
    text = report(OURS, SETTINGS, networks())
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == [
        *("scores", ":--", COSINE, OURS, PEER),
        *("images", ":--", "plain", "dark", "mixed"),
        *("images", ":--", *["plain"] * 4, *["mixed"] * 4),
    ]
    ours = rows[3]
    assert ours[1:3] == ["top 5, beta 1", "62.01"] and ours[-1] == "+1.00 [+0.10, +2.10]" and len(ours) == 9
    assert rows[9][1:5] == ["0.050", "0.100", "0.25", "61.00"]
    assert rows[15][1:4] == ["learned", "0.0400", "0.50"] and rows[15][-1] == "90 %"
