"""Tables as people read them."""

import csv
import dataclasses
import io
import json
import math
import xml.etree.ElementTree
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from law_rl.jobs import Measurement
from law_rl.report.table_files import comma_separated, markdown, print_table, write_table
from law_rl.table_result import TableResult
from tests.law_rl.tables import row, table

VALUES = {
    "kd": (70.0, 72.0, 71.0),
    "better": (75.0, 77.0, 76.5),
    "unclear": (69.0, 74.0, 71.0),
    "broken [v2]": (70.0, math.nan, 71.0),
}


@pytest.fixture(scope="module")
def result() -> TableResult:
    rows = (
        row("kd", over=""),
        row("better", over="kd", note="a | in its note"),
        row("unclear", over="kd"),
        row("broken [v2]", over="kd"),
    )
    measured = {
        name: tuple(Measurement(metrics={"accuracy": one, "loss": one / 100}, iterations=16) for one in values)
        for name, values in VALUES.items()
    }
    return TableResult(
        table=table(*rows, metrics=("loss",), title="A tiny table [draft]"), measured=measured, schedules={}
    )


def test_markdown_has_a_line_a_row_in_the_order_of_the_table(result: TableResult) -> None:
    title, _, names, _, *lines = markdown(result).splitlines()
    assert title == "# A tiny table [draft]"
    assert names == "| row | accuracy | loss | epochs | control | gain over control | note |"
    rows = [line.strip("|").replace("\\|", "/").split("|") for line in lines[:4]]
    assert [[cell.strip() for cell in one] for one in rows] == [
        ["kd", "71.00 [68.52, 73.48]", "0.71 [0.69, 0.73]", "4", "", "", ""],
        [
            "better",
            "76.17 [73.58, 78.75]",
            "0.76 [0.74, 0.79]",
            "4",
            "kd",
            "**+5.17 [+4.45, +5.88]**",
            "a / in its note",
        ],
        ["unclear", "71.33 [65.08, 77.58]", "0.71 [0.65, 0.78]", "4", "kd", "+0.33 [-3.46, +4.13]", ""],
        ["broken [v2]", "not finite", "not finite", "4", "kd", "not finite", ""],
    ]
    assert "mean of 3 unseen training seeds" in lines[-1]


def test_csv_has_numbers(result: TableResult) -> None:
    control, better, unclear, broken = csv.DictReader(io.StringIO(comma_separated(result)))
    assert (control["control"], control["gain"], control["excludes_zero"]) == ("", "", "")
    assert float(better["gain"]) == pytest.approx(31 / 6)
    assert float(better["gain_low"]) < float(better["gain"]) < float(better["gain_high"])
    assert float(better["accuracy"]) == pytest.approx(228.5 / 3)
    assert float(better["loss_high"]) == pytest.approx(float(better["accuracy_high"]) / 100)
    assert (better["excludes_zero"], unclear["excludes_zero"]) == ("True", "False")
    assert (better["epochs"], better["iterations"], better["control"]) == ("4", "16", "kd")
    assert (broken["row"], broken["accuracy"], broken["gain"]) == ("broken [v2]", "", "")


def test_the_terminal_shows_the_same_cells(result: TableResult) -> None:
    text = StringIO()
    print_table(Console(file=text, width=200), result)
    lines = {line.split("│")[1].strip(): line for line in text.getvalue().splitlines() if "│" in line}
    assert "A tiny table [draft]" in text.getvalue()
    assert "76.17 [73.58, 78.75]" in lines["better"] and "+5.17 [+4.45, +5.88]" in lines["better"]
    assert "not finite" in lines["broken [v2]"]


def test_all_four_files_are_written(result: TableResult, tmp_path: Path) -> None:
    write_table(tmp_path, result)
    assert {path.name for path in tmp_path.iterdir()} == {"table.md", "table.csv", "table.json", "table.svg"}
    assert json.loads((tmp_path / "table.json").read_text()) == result.to_json()
    svg = xml.etree.ElementTree.parse(tmp_path / "table.svg")
    texts = [entry.text or "" for entry in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in VALUES] == list(VALUES)[::-1]
    assert "76.17 [73.58, 78.75]   +5.17 [+4.45, +5.88]" in texts
    assert "not finite" in texts
    first = (tmp_path / "table.svg").read_text()
    write_table(tmp_path, result)
    assert (tmp_path / "table.svg").read_text() == first


def test_gains_of_other_metrics_have_columns_of_their_own(result: TableResult) -> None:
    shown = dataclasses.replace(result, table=dataclasses.replace(result.table, gains=("loss",)))
    _, _, names, _, _, better, *_ = markdown(shown).splitlines()
    assert names.endswith("| control | gain over control | gain in loss | note |")
    assert "| kd | **+5.17 [+4.45, +5.88]** | **+0.05 [+0.04, +0.06]** |" in better
    entries = list(csv.DictReader(io.StringIO(comma_separated(shown))))
    assert entries[0]["gain in loss"] == "" and float(entries[1]["gain in loss"]) == pytest.approx(0.0517, abs=1e-4)
