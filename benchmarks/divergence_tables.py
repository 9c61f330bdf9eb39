"""What route_divergence reports: tables of divergences with and without a route, and what they say of RCO's claim.

A part is what it measured for one term of the loss in one setting.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.anchor_students import HINT_WIDTH, TermName
from benchmarks.tables import markdown_table, signed
from law_rl.learner import SplitName
from law_rl.statistics import Interval, mean_interval

SPLITS: tuple[SplitName, ...] = ("train", "validation")
ALONE = "the teacher alone"
NOTE = (
    "Divergence from the teacher of students that learn by one term of the loss: `kd` T^2 KL at T = 2 in nats, `hint` "
    f"the squared distance of embeddings ({HINT_WIDTH} wide, behind an adapter to the teacher's 16), `mimic` that of "
    "embeddings of 16 without an adapter. A route has anchors at equal epoch intervals, the converged teacher last; "
    "all students train for the same epochs. On a route the anchors share one cosine schedule, or have a cycle each. "
    "Means over seeds are geometric; changes against the teacher alone are paired, with 95 % t intervals of the log "
    "ratio. Learning rates are chosen for each student and split on three other seeds."
)
LEGEND = (
    "In how many settings the route ends lower / higher / neither with 95 % confidence. `yes`: some way along the "
    "route is lower in every setting; `no`: none is lower in more settings than it is higher in. That takes the best "
    "of four ways, which favours the route."
)
BY_ANCHOR = (
    "By anchor, what students of that anchor alone leave, that in percent of the divergence of the best constant "
    "output, and the change where the route's anchors up to that one lead the student on one schedule."
)


def report(parts: Sequence[Mapping[str, Any]]) -> str:
    blocks = [NOTE, routes_table(parts), LEGEND, standings_table(parts), conclusion(parts)]
    measured = [part for part in parts if part["by_anchor"]]
    if measured:
        groups = {title: [part for part in measured if part["title"] == title] for title in titles(measured)}
        tables = [anchors_table(group, split) for group in groups.values() for split in SPLITS]
        blocks += [BY_ANCHOR, growth(measured), *tables]
    return "\n\n".join(blocks)


def titles(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(part["title"] for part in parts))


def change(part: Mapping[str, Any], led: str, alone: str, split: SplitName) -> Interval:
    """By how many percent the first student's divergence is above the second's, the geometric mean over paired seeds.

    Ratios, for some seeds of a student end ten times as far away as others.
    """
    first, second = (part["students"][label][split]["values"] for label in (led, alone))
    ratio = geometric_mean([a / b for a, b in zip(first, second, strict=True)])
    return Interval(mean=100 * ratio.mean - 100, low=100 * ratio.low - 100, high=100 * ratio.high - 100)


def geometric_mean(values: Sequence[float]) -> Interval:
    logs = mean_interval([math.log(value) for value in values])
    return Interval(mean=math.exp(logs.mean), low=math.exp(logs.low), high=math.exp(logs.high))


def changes(part: Mapping[str, Any], split: SplitName) -> dict[str, Interval]:
    """What each route changes in the divergence from the converged teacher, by the route's name."""
    names = part["routes"]
    return {name: change(part, label, names[ALONE], split) for name, label in names.items() if name != ALONE}


def routes_table(parts: Sequence[Mapping[str, Any]]) -> str:
    """The converged teacher, with and without a route to it."""
    rows = []
    for part in parts:
        for split in SPLITS:
            alone = geometric_mean(part["students"][part["routes"][ALONE]][split]["values"])
            led = [signed(interval) for interval in changes(part, split).values()]
            rows.append((part["title"], part["term"], split, three_digits(alone), *led))
    names = [name for name in parts[0]["routes"] if name != ALONE]
    return markdown_table(("labels, images, budget", "term", "split", ALONE, *(f"{n}, %" for n in names)), rows)


def three_digits(interval: Interval) -> str:
    return f"{interval.mean:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def standings(parts: Sequence[Mapping[str, Any]], term: TermName, split: SplitName) -> dict[str, tuple[int, int, int]]:
    """By route, in how many settings the divergence is lower, higher, and neither with 95 % confidence."""
    measured = [changes(part, split) for part in parts if part["term"] == term]
    counts = {}
    for name in measured[0]:
        lower = sum(intervals[name].high < 0 for intervals in measured)
        higher = sum(intervals[name].low > 0 for intervals in measured)
        counts[name] = (lower, higher, len(measured) - lower - higher)
    return counts


def verdict(counts: Mapping[str, tuple[int, int, int]]) -> str:
    """Whether the route is lower: for one way along it in every setting; for none in more than it is higher in."""
    if any(lower and not higher and not neither for lower, higher, neither in counts.values()):
        return "yes"
    return "in part" if any(lower > higher for lower, higher, _ in counts.values()) else "no"


def standings_table(parts: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for term in dict.fromkeys(part["term"] for part in parts):
        for split in SPLITS:
            counts = standings(parts, term, split)
            rows.append((term, split, *(" / ".join(map(str, count)) for count in counts.values()), verdict(counts)))
    names = [name for name in parts[0]["routes"] if name != ALONE]
    return markdown_table(("term", "split", *names, "lower with the route?"), rows)


def conclusion(parts: Sequence[Mapping[str, Any]]) -> str:
    """The claim in words, and by how much the gap to an anchor grows along the route."""
    terms = list(dict.fromkeys(part["term"] for part in parts))
    held = {split: [term for term in terms if verdict(standings(parts, term, split)) == "yes"] for split in SPLITS}
    found = "; ".join(f"on {split} images {', '.join(names) or 'none'}" for split, names in held.items())
    whole = f"lower for each of {', '.join(terms)}"
    holds = "holds" if all(names == terms for names in held.values()) else "does not hold"
    return f"Lower with the route in every setting: {found}. The claim, {whole}, {holds} here."


def growth(parts: Sequence[Mapping[str, Any]]) -> str:
    """How the gap that an anchor alone leaves grows from the route's first anchor to its last."""
    ratios = []
    for part in parts:
        first, *_, last = (pair["alone"] for pair in part["by_anchor"].values())
        ratios += [
            (change(part, last, first, split).low > 0, change(part, last, first, split).mean) for split in SPLITS
        ]
    grown, factors = sum(above for above, _ in ratios), [1 + percent / 100 for _, percent in ratios]
    return (
        f"The converged teacher leaves {min(factors):.1f} to {max(factors):.1f} times the gap that the first anchor "
        f"leaves (more, with 95 % confidence, in {grown} of {len(ratios)} cases)."
    )


def anchors_table(parts: Sequence[Mapping[str, Any]], split: SplitName) -> str:
    """One setting by anchor: what it alone leaves, that over a constant's divergence, and what the route changes."""
    rows = []
    for epoch in parts[0]["by_anchor"]:
        cells: list[str] = []
        for part in parts:
            pair = part["by_anchor"][epoch]
            alone = geometric_mean(part["students"][pair["alone"]][split]["values"]).mean
            led = signed(change(part, pair["led"], pair["alone"], split)) if pair["led"] != pair["alone"] else ""
            cells += (f"{alone:.3g}", f"{100 * alone / pair['constant'][split]:.1f}", led)
        rows.append((epoch, *cells))
    header = [name for part in parts for name in (part["term"], "of a constant, %", "led, %")]
    return f"{parts[0]['title']}, {split}:\n\n{markdown_table(('epoch of the anchor', *header), rows)}"
