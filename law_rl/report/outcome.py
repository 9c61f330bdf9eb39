"""What came out of a run or of its search, each in one sentence."""

from collections.abc import Mapping
from typing import Any

from law_rl.evaluate import LEARNED, ORACLE, UNIFORM
from law_rl.report.run_directory import Comparison, Run
from law_rl.statistics import in_points

KNOWN = {
    UNIFORM: "ordinary training",
    ORACLE: "knows the wrong labels",
    "kd": "distillation from the converged teacher",
    "no_teacher": "labels alone",
}


def outcome(run: Run) -> str:
    """What the learned curriculum brought, in plain words; says so where the run has no evaluation."""
    if run.comparison is None:
        return "This run has no evaluation on unseen seeds (it was stopped before it). " + validation_gain(
            run.schedule.provenance
        )
    return _measured(run.comparison)


def validation_gain(provenance: Mapping[str, Any]) -> str:
    """One sentence on what a schedule gained on the validation data of the seeds that it was chosen by."""
    gain = provenance.get("validation_gain")
    if gain is None:
        return "Its gain was not recorded."
    low, high = gain["ci95"]
    return (
        f"Validation gain on the {gain['seeds']} training seeds that it was chosen by: "
        f"{in_points(gain['mean'], sign=True)} points over {KNOWN.get(gain['over'], gain['over'])} "
        f"(95 % interval {in_points(low)} to {in_points(high)})."
    )


def metric_text(value: float, metric: str) -> str:
    """A value of a metric with its unit."""
    return f"{value:.1f} %" if metric == "accuracy" else f"{value:.2f} {metric}"


def plain_name(name: str) -> str:
    """A curriculum's name, with what it is where the name alone does not tell."""
    return f"{name} ({KNOWN[name]})" if name in KNOWN else name


def _measured(comparison: Comparison) -> str:
    learned, base = comparison.row(LEARNED), comparison.row(comparison.over)
    gain = learned.gain
    assert gain is not None
    against = KNOWN.get(comparison.over, comparison.over)
    verdict = _gap(comparison.gap_closed)
    if gain.low <= 0 <= gain.high:
        verdict = ", which is no clear difference"
    elif gain.high < 0:
        verdict = ", which is worse"
    return (
        f"Learned curriculum: {metric_text(learned.interval.mean, comparison.metric)} against "
        f"{metric_text(base.interval.mean, comparison.metric)} for {against}, {in_points(gain.mean, sign=True)} points "
        f"(95 % interval {in_points(gain.low)} to {in_points(gain.high)}) on {comparison.seeds} unseen seeds{verdict}."
    )


def _gap(closed: float | None) -> str:
    return f"; {closed:.0%} of the gap to the oracle closed".replace("%", " %") if closed else ""
