"""Trials: what tuning found, which configuration is best, and the file by which a finished trial is known."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import law_rl
from law_rl.experiment import Experiment
from law_rl.search import search_identity
from law_rl.selection import plain

FLOOR = -1e9
"""The gain, in points, of a result that is no finite number: it can win nothing, nor be copied."""

Status = Literal["running", "finished", "stopped", "failed", "error"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a trial reports: gain in points over the twins after so many episodes; `failure` where it is no number."""

    episodes: int
    gain: float
    failure: str = ""

    @staticmethod
    def of(episodes: int, gain: float) -> "Report":
        """A report whose gain is finite, whatever was measured."""
        if math.isfinite(gain):
            return Report(episodes=episodes, gain=gain)
        return Report(episodes=episodes, gain=FLOOR, failure=f"the gain is {gain}")


@dataclass(kw_only=True)
class Trial:
    """One configuration's search.

    finished: it has a schedule; stopped: given up early for better ones; failed: its gain is no finite number; error:
    it raised for good.
    """

    name: str
    fields: dict[str, Any]
    status: Status = "running"
    curve: list[Report] = field(default_factory=list)
    error: str = ""

    @property
    def gain(self) -> float | None:
        """The last reported gain in points, None where there is none that is finite."""
        if not self.curve or self.curve[-1].failure or not math.isfinite(self.curve[-1].gain):
            return None
        return self.curve[-1].gain

    @property
    def episodes(self) -> int:
        return self.curve[-1].episodes if self.curve else 0

    def to_json(self) -> dict[str, Any]:
        """The entry of result.json."""
        return {
            "name": self.name,
            "config": plain(self.fields),
            "gain": self.gain,
            "episodes": self.episodes,
            "status": self.status,
            "error": self.error,
        }


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that have a schedule by their gain, the best first; then the others by theirs."""

    def place(trial: Trial) -> tuple[bool, float, str]:
        gain = trial.gain
        return (not is_eligible(trial), math.inf if gain is None else -gain, trial.name)

    return sorted(trials, key=place)


def is_eligible(trial: Trial) -> bool:
    """Whether a trial can be the best: it is finished, and its gain is a finite number."""
    return trial.status == "finished" and trial.gain is not None


def best(trials: Sequence[Trial]) -> Trial:
    """The finished trial with the highest gain, the first by name of several; ValueError where there is none."""
    first = ranked(trials)[0] if trials else None
    if first is None or not is_eligible(first):
        reasons = [f"{trial.name}: {trial.error}" for trial in trials if trial.error]
        why = f" ({reasons[0]})" if reasons else ""
        raise ValueError(
            f"none of {len(trials)} trials ended with a gain that is a number{why}: mend what fails, or change the "
            "space, and start again with --resume"
        )
    return first


def trial_name(number: int, fields: Mapping[str, Any]) -> str:
    """The name of a trial and of its folder: a function of its number and configuration alone."""
    text = repr(sorted(fields.items()))
    return f"{number:03d}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def seal(experiment: Experiment) -> dict[str, Any]:
    """What must be equal for a kept trial to be trusted: the version of the code, and the search."""
    return {"law_rl": law_rl.__version__, "search": search_identity(experiment)}


def to_record(trial: Trial, experiment: Experiment, **more: Any) -> bytes:
    """A trial as the JSON file that is kept of it."""
    curve = [asdict(report) for report in trial.curve]
    record = {"seal": seal(experiment), **trial.to_json(), "curve": curve, **more}
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def from_record(content: bytes) -> tuple[Trial, dict[str, Any]]:
    """The trial that `to_record` wrote, and all that the file says; ValueError where it is damaged."""
    try:
        record = json.loads(content)
        trial = Trial(
            name=record["name"],
            fields={name: as_tuples(value) for name, value in record["config"].items()},
            status=record["status"],
            curve=[Report(**report) for report in record["curve"]],
            error=record["error"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record of a trial is damaged ({error!r}): delete the trial's folder") from error
    return trial, record


def as_tuples(value: Any) -> Any:
    """A value as a configuration holds it: JSON has lists where Python has tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value
