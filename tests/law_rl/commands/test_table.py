"""`law-rl table` as a user types it, in a project with a table."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from law_rl.cli import main

TABLE = """\
from law_rl.table import Learned
from policies.baselines import FocalLoss
from tests.conftest import make_tiny_experiment
from tests.law_rl.tables import row, table

table = table(
    row("uniform", over=""),
    row("focal", curriculum=FocalLoss(), note="gamma 2"),
    row("learned", curriculum=Learned(experiment=make_tiny_experiment())),
    seeds=2,
)
"""
FOLDER = "experiments"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of its own, whose `experiments` is the one that Python finds while the test runs."""
    mine = {name: module for name, module in sys.modules.items() if name.split(".")[0] == FOLDER}
    forget_experiments()
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path, "__init__", "")
    write(tmp_path, "tiny_table", TABLE)
    yield tmp_path
    forget_experiments()
    sys.modules.update(mine)


def forget_experiments() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == FOLDER]:
        del sys.modules[name]


def write(project: Path, name: str, source: str) -> None:
    (project / FOLDER).mkdir(exist_ok=True)
    (project / FOLDER / f"{name}.py").write_text(source)


def law_rl(*arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints on standard output and standard error."""
    out, error = io.StringIO(), io.StringIO()
    redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(error)
    with redirected[0], redirected[1], pytest.raises(SystemExit) as exit:
        main(arguments)
    assert (exit.value.code or 0) == status, out.getvalue() + error.getvalue()
    return out.getvalue(), error.getvalue()


def test_a_table_is_made_printed_and_not_made_again(project: Path) -> None:
    out, _ = law_rl("table", "tiny_table", "--workers", "0")
    directory = project / "runs" / "tiny"
    assert "tiny: 3 rows on 2 seeds" in out
    assert "search for learned, gain" in out
    assert f"table: {directory / 'table.md'}" in out
    files = {"table.md", "table.csv", "table.json", "table.svg", "config.json", "checkpoints", "searches"}
    assert {path.name for path in directory.iterdir()} == files
    made = json.loads((directory / "table.json").read_text())
    lines = [line for line in out.splitlines() if "│" in line]
    for row in made["rows"]:
        line = next(line for line in lines if line.split("│")[1].strip() == row["name"])
        assert f"{row['metrics']['accuracy']['mean']:.2f} [" in line
        assert row["gain"] is None or f"{row['gain']['mean']:+.2f} [" in line
    again, said = law_rl("table", "experiments/tiny_table.py", "--workers", "0", "--resume", "--json")
    assert json.loads(again) == made
    assert "trainings" not in said


def test_rows_and_seeds_can_be_chosen(project: Path) -> None:
    arguments = ("tiny_table", "--rows", "focal", "--seeds", "3", "--workers", "0", "--out", str(project / "mine"))
    made = json.loads(law_rl("table", *arguments, "--json")[0])
    assert [row["name"] for row in made["rows"]] == ["uniform", "focal"]
    assert made["seeds"] == [1000, 1001, 1002]
    assert "not empty: add --resume" in law_rl("table", *arguments, status=2)[1]


TOOLS = "from tests.law_rl.tables import row, table, task\n"


@pytest.mark.parametrize(
    ("source", "arguments", "words"),
    [
        ("del table", (), "wrong.py holds no table: assign a law_rl.table.Table to `table`"),
        ("table = 3", (), "wrong.py holds no table"),
        (
            "table = table()",
            ("--rows", "focal", "focus"),
            "table tiny has no row focus: choose from uniform, focal, small",
        ),
        ("table = table()", ("--seeds", "1"), "seeds is 1"),
        ("table = table()", ("--workers", "-1"), "workers is -1"),
        ("table = table()", ("--resume",), "no run of tiny"),
        ("table = table()", ("--task.training.epochs", "4"), "changes an experiment"),
        ("table = table(row('a', over=''), row('a', over=''))", (), "two rows are called a"),
        ("table = table(row('a', over='b'))", (), "row a is held against b, which is no row"),
        (
            "table = table(row('uniform', over=''), row('a', task=task(epochs=5)))",
            (),
            "row a takes 5 epochs and uniform",
        ),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(
    project: Path, source: str, arguments: tuple[str, ...], words: str
) -> None:
    write(project, "wrong", TOOLS + source)
    error = law_rl("table", "wrong", *arguments, status=2)[1]
    assert words in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_the_run_of_another_table_is_not_gone_on_with(project: Path) -> None:
    write(project, "other", "import dataclasses\nfrom tests.law_rl.tables import table\ntable = table(name='other')")
    directory = str(project / "mine")
    law_rl("table", "tiny_table", "--rows", "uniform", "--workers", "0", "--out", directory)
    error = law_rl("table", "other", "--workers", "0", "--out", directory, "--resume", status=2)[1]
    assert "mine holds the table tiny, not other" in error


def test_help_says_how_a_table_is_written() -> None:
    text = " ".join(law_rl("table", "--help")[0].replace("│", " ").split())
    assert "law_rl.table.Table(name=" in text
    assert "--resume repeats none" in text
