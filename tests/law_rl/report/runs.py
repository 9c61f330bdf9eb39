"""Run directories to report on, and the pages that are read back."""

import csv
import json
import math
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import torch

from law_rl.actions import Action, SampleWeights
from law_rl.actor import TableActor
from law_rl.schedule import Schedule
from law_rl.stage_weights import BINS

NASTY = '<script>alert("x")</script> & $x_1$'
VOID = ("meta",)
HEAD = SampleWeights(features=("own_agreement", "loss"))
ACTIONS = [[0.25, -0.5, -0.125], [0.75, -0.25, 0.0625]]
VALUES = {"uniform": [70.0, 72.0, 74.0], "learned": [90.5, 91.25, 93.0], NASTY: [60.0, 61.0, 62.5]}
GAIN = {"over": "uniform", "mean": 19.5833, "ci95": [17.79, 21.38]}


class Page(HTMLParser):
    """Tables as rows of texts, all text, all attributes, and whether every element was closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.tags: Counter[str] = Counter()
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open and self._open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data

    def values(self, name: str) -> list[str]:
        return [value or "" for _, key, value in self.attributes if key == name]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def episode(index: int, phase: str, candidate: int, advantage: float, failure: str = "") -> dict[str, Any]:
    common = {"episode": index, "phase": phase, "candidate": candidate, "training_seed": 0, "reward": advantage}
    return common | {"advantage": advantage, "metric": 70 + advantage, "twin_metric": 70.0, "failure": failure}


def make_run(
    directory: Path,
    *,
    evaluated: bool,
    name: str = "tiny",
    known: bool = True,
    action: Action = HEAD,
    actions: Sequence[Sequence[float]] = ACTIONS,
    over: str = "uniform",
) -> Path:
    """A run of which stage 0 is warm-up; `known` says whether there were sample weights and wrong labels."""
    directory.mkdir()
    write_rows(
        directory / "episodes.csv",
        [
            *(episode(k, "explore", -1, 1.5 * k) for k in range(7)),
            episode(7, "explore", -1, math.nan, "the loss is not finite"),
            *(episode(8 + k, "confirm", k // 2, 9.0 - k) for k in range(4)),
        ],
    )
    write_rows(
        directory / "stages.csv",
        [
            {
                "stage": 0,
                **dict.fromkeys((*action.names, "weight_clean", "weight_mislabelled", *(BINS if known else ())), ""),
            },
            *(
                {
                    "stage": 1 + k,
                    **dict(zip(action.names, entries, strict=True)),
                    "weight_clean": 1.2345 if known else "nan",
                    "weight_mislabelled": 0.5 / 2**k if known else "",
                    **({name: 2.0 - place / 4 for place, name in enumerate(BINS)} if known else {}),
                }
                for k, entries in enumerate(actions)
            ),
        ],
    )
    provenance = {
        "experiment": name,
        "validation_gain": {"over": over, "mean": 8.5, "ci95": [8.0, 9.0], "seeds": 2},
        "typical_actions": [list(entries) for entries in actions],
    }
    actor = TableActor(actions=torch.tensor([action.baseline, *actions]))
    Schedule(
        actor=actor,
        action=action,
        observation=("progress",),
        stages=1 + len(actions),
        warmup=1,
        memory_decay=0.8,
        provenance=provenance,
    ).save(directory / "schedule.safetensors")
    (directory / "config.json").write_text(json.dumps({"experiment": name, "note": "</pre>"}), encoding="utf-8")
    result: dict[str, Any] = {"experiment": name}
    if evaluated:
        result |= evaluation(over)
        result["search"] = {"episodes": 12, "stages": 24, "trainings": 14, "wall_s": 214.4, "workers": 2}
        (directory / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return directory


def evaluation(over: str = "uniform") -> dict[str, Any]:
    schedules = {
        over if name == "uniform" else name: {
            "mean": sum(values) / 3,
            "ci95": [values[0] - 1.234, values[2] + 1.234],
            "values": values,
        }
        for name, values in VALUES.items()
    }
    return {
        "metric": "accuracy",
        "seeds": [1000, 1001, 1002],
        "schedules": schedules,
        "gain": {**GAIN, "over": over},
        "gap_closed": 0.917,
    }
