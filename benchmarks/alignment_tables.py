"""What score_alignment reports: gains of methods over the cosine, in every condition, and what estimators keep of them.

A test is what one network gave.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.degradations import Condition
from benchmarks.tables import excludes_zero, markdown_table, signed
from law_rl.statistics import Interval, mean_interval

Tests = Sequence[Mapping[str, Any]]
Settings = Mapping[Condition, Mapping[str, str]]

COSINE, DEFAULT, TUNED, ALIKE = "cosine", "default", "tuned", "tuned, alike"
PEER, PEER_ALIKE = "as_norm, gallery", "as_norm, alike"
CONDITION_GAINS = {
    DEFAULT: "default",
    TUNED: "tuned",
    ALIKE: "tuned, alike",
    PEER: "as_norm",
    PEER_ALIKE: "as_norm, alike",
}
"""What is compared in every condition, with its words."""
FARS = (0.01, 0.001)
MAIN, STRICT = "TAR@0.01", "TAR@0.001"
RATES = (MAIN, STRICT, "EER")
AIM = 80
"""The share of the gallery's gain, in per cent, that the learned estimator should keep."""

DAM = {"IJB-C": (96.10, 96.20), "IJB-B": (94.80, 95.12)}
"""TAR at FAR 1e-4, in per cent, of CurricularFace and of DAM on it: ResNet-100, TopoFR (NeurIPS 2024), table 2."""

NOTE = (
    "Test faces of LFW, persons whom no network has seen, all pairs; TAR at FAR 1 % and 0.1 % and EER in per cent, "
    "mean over networks. Reference faces are those that the networks were trained on, virtual ones come from a "
    "generator trained on them. Settings are those with the best mean TAR@0.01 on validation faces. Differences to the "
    "cosine are in points, paired, with 95 % t intervals over networks; in the last column for the first network "
    "alone, with 95 % intervals by a bootstrap over persons. For one_sided, z_norm and t_norm the image that comes "
    "first is the probe."
)
CONDITIONS = (
    "The same faces spoilt, both images of a pair in one condition; in `mixed` each image is as it is or in one of the "
    "others, by chance. References stay as they are, but for `alike`, where they are spoilt likewise. mu is the mean "
    "cosine of an image to its support set, its std is over images, and its correlation that of a pair's mean mu with "
    "the cosine over impostor pairs. TAR@0.01 in per cent and gains in points; `tuned` has the settings that are best "
    "on validation faces in the same condition; as_norm has those for plain ones."
)
ESTIMATORS = (
    "How well an image's mu is known from other sources than the references, and what the default gains with them: "
    "root mean square error in cosines and R^2 on test faces, means over networks; a constant, the references' mean, "
    "leaves every decision as it is. Shares are those of the gallery's gain, of means, where that one excludes zero."
)


def report(default: str, settings: Settings, tests: Tests) -> str:
    return "\n\n".join(
        [
            NOTE,
            methods_table(settings["plain"], tests),
            verdict(default, settings, tests),
            effect(tests),
            CONDITIONS,
            conditions_table(tests),
            differences(tests),
            robustness(tests),
            ESTIMATORS,
            estimators_table(tests),
            kept_gain(tests),
        ]
    )


def gain(tests: Tests, rate: str, *path: str) -> Interval:
    """By how many points a rate is above the cosine's, of the rates at `path` in each test: under "rates" for plain
    faces, else under ("conditions", C) or ("estimators", C).
    """
    return mean_interval([_rates(test, path)[rate] - _cosine(test, path)[rate] for test in tests])


def _rates(test: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, float]:
    found: Mapping[str, float]
    match path:
        case (label,):
            found = test["rates"][label]
        case ("conditions", condition, label):
            found = test["conditions"][condition]["rates"][label]
        case ("estimators", condition, label):
            found = test["estimators"][condition][label]["rates"]
        case _:
            raise KeyError(path)
    return found


def _cosine(test: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, float]:
    condition = path[1] if len(path) == 3 else "plain"
    return _rates(test, ("conditions", condition, COSINE))


def methods_table(settings: Mapping[str, str], tests: Tests) -> str:
    rows = []
    for label in tests[0]["rates"]:
        cells = [label, settings.get(label, "")]
        for rate in RATES:
            cells.append(f"{mean_interval([test['rates'][label][rate] for test in tests]).mean:.2f}")
            cells.append(signed(gain(tests, rate, label)) if label != COSINE else "")
        drawn = tests[0]["bootstrap"].get(label)
        rows.append((*cells, signed(_interval(drawn[MAIN])) if drawn else ""))
    header = ("scores", "setting", *(name for rate in RATES for name in (rate, "over cosine")), f"{MAIN}, over persons")
    return markdown_table(header, rows)


def _interval(entry: Mapping[str, Any]) -> Interval:
    low, high = entry["ci95"]
    return Interval(mean=entry["mean"], low=low, high=high)


def verdict(default: str, settings: Settings, tests: Tests) -> str:
    """The operator that validation prefers, and whether its gain excludes zero."""
    over = gain(tests, MAIN, default)
    persons = _interval(tests[0]["bootstrap"][default][MAIN])
    peer = mean_interval([test["rates"][default][MAIN] - test["rates"][PEER][MAIN] for test in tests])
    return (
        f"Validation prefers {default} ({settings['plain'][default]}), here the default: {signed(over)} points at FAR "
        f"1 %, which {_excludes(over)} over networks and {_excludes(persons)} over persons; {signed(peer)} against "
        "as_norm."
    )


def _excludes(interval: Interval) -> str:
    return "excludes zero" if excludes_zero(interval) else "does not exclude zero"


def effect(tests: Tests) -> str:
    """The size of the default's gain on plain faces beside that of DAM, the published successor of IDA."""
    ours = [
        f"{gain(tests, rate, 'conditions', 'plain', DEFAULT).mean:+.2f} points at FAR {100 * far:g} % "
        f"({_fewer(*_means(tests, rate)):+.1f} % of the genuine pairs refused)"
        for rate, far in ((MAIN, 0.01), (STRICT, 0.001))
    ]
    theirs = [
        f"{after - before:+.2f} on {name} ({_fewer(before, after):+.1f} %)" for name, (before, after) in DAM.items()
    ]
    return (
        f"Size of the effect: the default changes {' and '.join(ours)}. DAM, the published successor of IDA, changed "
        f"TAR at FAR 0.01 % by {' and '.join(theirs)}, for a ResNet-100 trained on MS1MV2. Data, network and FAR "
        "differ, so the two are set side by side and not compared further."
    )


def _means(tests: Tests, rate: str) -> tuple[float, float]:
    before, after = (
        mean_interval([test["conditions"]["plain"]["rates"][name][rate] for test in tests]).mean
        for name in (COSINE, DEFAULT)
    )
    return before, after


def _fewer(before: float, after: float) -> float:
    """The change in the share of genuine pairs refused, in per cent of what it was."""
    return 100 * (before - after) / (100 - before) if before < 100 else 0.0


def conditions_table(tests: Tests) -> str:
    rows = []
    for condition in tests[0]["conditions"]:
        cosine = mean_interval([test["conditions"][condition]["rates"][COSINE][MAIN] for test in tests]).mean
        gains = [signed(gain(tests, MAIN, "conditions", condition, name)) for name in CONDITION_GAINS]
        strict = signed(gain(tests, STRICT, "conditions", condition, DEFAULT))
        rows.append(
            (
                condition,
                f"{_spread(tests, condition, 'mu'):.3f}",
                f"{_spread(tests, condition, 'impostor'):.3f}",
                f"{_spread(tests, condition, 'correlation'):.2f}",
                f"{cosine:.2f}",
                *gains,
                strict,
            )
        )
    header = ("images", "std of mu", "std of impostor cosines", "correlation", "cosine")
    return markdown_table((*header, *CONDITION_GAINS.values(), f"default, {STRICT}"), rows)


def differences(tests: Tests) -> str:
    """How much mu differs among images: what a shift can change a decision by."""
    words = [
        f"on {condition} images mu has a std of {_spread(tests, condition, 'mu'):.3f} against "
        f"{_spread(tests, condition, 'impostor'):.3f} of impostor cosines, of whose variance a pair's mean mu explains "
        f"{100 * _spread(tests, condition, 'correlation') ** 2:.0f} %"
        for condition in ("plain", "mixed")
    ]
    return f"A shift acts only as far as mu differs among images: {'; '.join(words)}."


def _spread(tests: Tests, condition: str, name: str) -> float:
    return mean_interval([test["conditions"][condition]["spread"][name] for test in tests]).mean


def robustness(tests: Tests) -> str:
    """Where the gain is largest; the paper's claim would have it on mixed images."""
    words = []
    for name, text in CONDITION_GAINS.items():
        gains = {c: gain(tests, MAIN, "conditions", c, name) for c in tests[0]["conditions"]}
        best = max(gains, key=lambda condition: gains[condition].mean)
        lost = [condition for condition, found in gains.items() if found.high < 0]
        words.append(f"`{text}` on {best} images ({signed(gains[best])}; loses on {', '.join(lost) or 'none'})")
    return f"Gains are largest for {', for '.join(words)}. The aim was: on mixed images."


def estimators_table(tests: Tests) -> str:
    rows = []
    for condition, by_name in tests[0]["estimators"].items():
        for name in by_name:
            entries = [test["estimators"][condition][name] for test in tests]
            rmse, r2 = (mean_interval([entry[key] for entry in entries]).mean for key in ("rmse", "r2"))
            cells = [condition, name, f"{rmse:.4f}", f"{r2:.2f}"]
            for rate in (MAIN, STRICT):
                cells.append(signed(gain(tests, rate, "estimators", condition, name)))
                cells.append(_percent(share(tests, rate, condition, name)))
            rows.append(cells)
    gains = (name for rate in (MAIN, STRICT) for name in (f"gain, {rate}", "of the gallery's"))
    header = ("images", "mu from", "RMSE", "R^2", *gains)
    return markdown_table(header, rows)


def share(tests: Tests, rate: str, condition: str, name: str) -> float | None:
    """The share of the gallery's gain, in per cent; None where that one does not exclude zero."""
    whole = gain(tests, rate, "estimators", condition, "gallery")
    return 100 * gain(tests, rate, "estimators", condition, name).mean / whole.mean if whole.low > 0 else None


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"


def kept_gain(tests: Tests) -> str:
    """What the learned estimator keeps, and whether it beats what it must beat."""
    words = []
    for condition, by_name in tests[0]["estimators"].items():
        errors = {
            name: mean_interval([test["estimators"][condition][name]["rmse"] for test in tests]).mean
            for name in by_name
            if name != "gallery"
        }
        beaten = [name for name, error in errors.items() if errors["learned"] < error]
        shares = {rate: share(tests, rate, condition, "learned") for rate in (MAIN, STRICT)}
        kept = [f"{value:.0f} % of the gallery's gain in {rate}" for rate, value in shares.items() if value is not None]
        part = f"{' and '.join(kept)} (aim {AIM} %)" if kept else "no gain of the gallery's to keep"
        words.append(f"on {condition} images {part}, with a smaller error of mu than {', '.join(beaten) or 'none'}")
    return f"The learned estimator, without any other image: {'; '.join(words)}."
