import csv
import json
import math
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from law_rl.actions import SampleWeights
from law_rl.actor import TableActor
from law_rl.report.html import write_report
from law_rl.report.plots import confirmed
from law_rl.report.run_directory import EpisodeRow
from law_rl.schedule import Schedule, ScheduleError
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


def make_run(directory: Path, *, evaluated: bool, name: str = "tiny", known: bool = True) -> Path:
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
                **dict.fromkeys((*HEAD.names, "weight_clean", "weight_mislabelled", *(BINS if known else ())), ""),
            },
            *(
                {
                    "stage": 1 + k,
                    **dict(zip(HEAD.names, action, strict=True)),
                    "weight_clean": 1.2345 if known else "nan",
                    "weight_mislabelled": 0.5 - k / 4 if known else "",
                    **({name: 2.0 - place / 4 for place, name in enumerate(BINS)} if known else {}),
                }
                for k, action in enumerate(ACTIONS)
            ),
        ],
    )
    provenance = {
        "experiment": name,
        "validation_gain": {"over": "uniform", "mean": 8.5, "ci95": [8.0, 9.0], "seeds": 2},
        "typical_actions": ACTIONS,
    }
    actor = TableActor(actions=torch.tensor([[0.0, 0.0, 0.0], *ACTIONS]))
    Schedule(
        actor=actor,
        action=HEAD,
        observation=("progress",),
        stages=3,
        warmup=1,
        memory_decay=0.8,
        provenance=provenance,
    ).save(directory / "schedule.safetensors")
    (directory / "config.json").write_text(json.dumps({"experiment": name, "note": "</pre>"}), encoding="utf-8")
    result: dict[str, Any] = {"experiment": name}
    if evaluated:
        result |= evaluation()
        result["search"] = {"episodes": 12, "stages": 24, "trainings": 14, "wall_s": 214.4, "workers": 2}
        (directory / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return directory


def evaluation() -> dict[str, Any]:
    schedules = {
        name: {"mean": sum(values) / 3, "ci95": [values[0] - 1.234, values[2] + 1.234], "values": values}
        for name, values in VALUES.items()
    }
    return {
        "metric": "accuracy",
        "seeds": [1000, 1001, 1002],
        "schedules": schedules,
        "gain": GAIN,
        "gap_closed": 0.917,
    }


@pytest.fixture(scope="module")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("report") / "full", evaluated=True, name=NASTY)
    write_report(run)
    return run


@pytest.fixture(scope="module")
def full_page(full_run: Path) -> Page:
    return Page((full_run / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stopped_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = make_run(tmp_path_factory.mktemp("report") / "stopped", evaluated=False, known=False)
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_the_table_of_curricula_says_what_result_json_says(full_page: Page) -> None:
    header, *rows = full_page.tables[0]
    assert header[0] == "curriculum" and "uniform" in header[3]
    # differences -10, -11, -11.5: sd 0.764, t(2) 4.303, so -10.83 +- 1.90; the learned gain is the recorded one
    assert rows == [
        ["learned", "91.58", "89.27 to 94.23", "+19.58", "17.79 to 21.38"],
        ["uniform (ordinary training)", "72.00", "68.77 to 75.23", "", ""],
        [NASTY, "61.17", "58.77 to 63.73", "-10.83", "-12.73 to -8.94"],
    ]


def test_the_table_of_stages_says_what_stages_csv_says(full_page: Page) -> None:
    header, *rows = full_page.tables[1]
    assert header[:4] == ["stage", *HEAD.names]
    assert rows == [
        ["0", "", "", "", "", ""],
        ["1", "0.250", "-0.500", "-0.125", "1.234", "0.500"],
        ["2", "0.750", "-0.250", "0.062", "1.234", "0.250"],
    ]


def test_the_outcome_stands_first(full_page: Page) -> None:
    sentence = (
        "Learned weighting: 91.6 % against 72.0 % for ordinary training, +19.6 points (95 % interval 17.8 to 21.4) "
        "on 3 unseen seeds; 92 % of the gap to the oracle closed."
    )
    assert full_page.text.split("</style>")[-1].index(sentence) < full_page.text.index("Against the baselines")
    assert "12 episodes (24 stages; 14 trainings with the twins) took 4 min on 2 workers." in full_page.text


def test_nothing_in_the_inputs_becomes_markup(full_page: Page) -> None:
    assert full_page.tags["script"] == 0
    assert full_page.tags["pre"] == 2 and '"note": "</pre>"' in full_page.text
    assert full_page.text.count(NASTY) >= 4  # title, heading, plot, table
    assert any(NASTY in label for label in full_page.values("aria-label"))


def test_the_page_fetches_nothing(full_page: Page) -> None:
    references = [*full_page.values("href"), *full_page.values("xlink:href"), *full_page.values("src")]
    assert references and all(reference.startswith("#") for reference in references)
    assert not any(full_page.tags[tag] for tag in ("link", "img", "image", "iframe"))
    assert "@import" not in full_page.text and "url(http" not in full_page.text


def test_every_plot_has_words_beside_it(full_page: Page) -> None:
    assert full_page.tags["svg"] == full_page.tags["figure"] == full_page.tags["figcaption"] == 5
    assert full_page.values("role") == ["img"] * 5
    assert all(len(label) > 40 for label in full_page.values("aria-label"))
    assert full_page.tags["text"] > 40  # text stays text


def test_ids_are_unique_and_all_references_lead_somewhere(full_page: Page) -> None:
    ids = Counter(full_page.values("id"))
    assert max(ids.values()) == 1
    clips = [value.removeprefix("url(").removesuffix(")") for value in full_page.values("clip-path")]
    targets = {reference.removeprefix("#") for reference in (*clips, *full_page.values("xlink:href"))}
    assert clips and targets <= set(ids)


def test_same_files_same_bytes(full_run: Path) -> None:
    first = (full_run / "report.html").read_bytes()
    assert write_report(full_run).read_bytes() == first


def test_a_run_without_evaluation_says_so_and_leaves_it_out(stopped_page: Page) -> None:
    assert "no evaluation on unseen seeds" in stopped_page.text
    assert "+8.5 points over uniform training (95 % interval 8.0 to 9.0)" in stopped_page.text
    assert "Against the baselines" not in stopped_page.text and len(stopped_page.tables) == 1


def test_weights_that_are_not_known_are_left_out(stopped_page: Page) -> None:
    assert "not known which samples of this data are mislabelled" in stopped_page.text
    assert stopped_page.tags["svg"] == 2
    assert stopped_page.tables[0][2] == ["1", "0.250", "-0.500", "-0.125", "", ""]
    assert all("nan" not in cell for row in stopped_page.tables[0] for cell in row)


def test_a_directory_without_a_schedule_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="there is no schedule"):
        write_report(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", evaluated=False)
    (run / "episodes.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"episodes\.csv: give the directory of a run"):
        write_report(run)
    assert not (run / "report.html").exists()


def test_the_candidate_with_the_best_mean_comes_first() -> None:
    gains = ((0, 1.0), (0, 2.0), (1, 5.0), (1, 0.0), (2, 2.5), (2, 2.5))
    rows = [
        EpisodeRow(episode=k, phase="confirm", candidate=candidate, advantage=gain, failed=False)
        for k, (candidate, gain) in enumerate(gains)
    ]
    assert list(confirmed(rows)) == [1, 2, 0]


def test_weight_against_loss_is_drawn_where_it_is_known(tmp_path: Path) -> None:
    known = write_report(make_run(tmp_path / "known", evaluated=True)).read_text(encoding="utf-8")
    unknown = write_report(make_run(tmp_path / "unknown", evaluated=True, known=False)).read_text(encoding="utf-8")
    assert "loss of the sample, nats" in known
    assert "loss of the sample, nats" not in unknown
    assert "No stage of this schedule weighted its samples" in unknown
