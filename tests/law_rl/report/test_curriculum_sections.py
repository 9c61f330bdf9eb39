import re
from pathlib import Path

import pytest

from law_rl.actions import Action, Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.report.html import write_report
from tests.law_rl.report.runs import Page, make_run

WEIGHTS = SampleWeights(features=("loss", "teacher_confidence"))
MIXTURE = LossWeights(terms=("ce", "kd", "cc", "other"), usual=(0.1, 0.9, 0.002, 0.0), most=(1.0, 1.8, 0.03, 2.0))
ALL = Heads(sample_weights=WEIGHTS, teacher_anchor=TeacherAnchor(), loss_weights=MIXTURE)
ROWS = ((0.25, -0.5, -0.125, -0.5, 0.0, 1.0, 0.0, -1.0), (0.75, -0.25, 0.0625, 0.5, -0.5, -0.5, 1.0, 0.25))
SAMPLES = {"What the schedule does with a sample", "Weight against loss", "Who gets the weight"}
TEACHER, LOSSES = "The teacher, stage by stage", "The mixture of losses, stage by stage"


def report(directory: Path, action: Action, rows: tuple[tuple[float, ...], ...], *, known: bool = True) -> Page:
    run = make_run(directory / "run", evaluated=True, action=action, actions=rows, over="kd", known=known)
    return Page(write_report(run).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return report(tmp_path_factory.mktemp("all"), ALL, ROWS)


def test_all_heads_have_their_sections_and_plots(page: Page) -> None:
    headings = set(page.text.splitlines())
    assert {*SAMPLES, TEACHER, LOSSES} <= headings
    assert page.tags["svg"] == page.tags["figcaption"] == 7
    assert max(page.values("id").count(name) for name in page.values("id")) == 1


@pytest.mark.parametrize(
    ("action", "entries", "titles"),
    [
        (WEIGHTS, [*range(0, 3)], SAMPLES),
        (TeacherAnchor(), [*range(3, 4)], {TEACHER}),
        (MIXTURE, [*range(4, 8)], {LOSSES}),
        (Heads(teacher_anchor=TeacherAnchor(), loss_weights=MIXTURE), [*range(3, 8)], {TEACHER, LOSSES}),
    ],
)
def test_only_the_heads_that_there_are_have_sections(
    tmp_path: Path, action: Action, entries: list[int], titles: set[str]
) -> None:
    page = report(tmp_path, action, tuple(tuple(row[k] for k in entries) for row in ROWS))
    assert set(page.text.splitlines()) & {*SAMPLES, TEACHER, LOSSES} == titles
    assert page.tags["svg"] == 2 + len(titles)
    assert page.tags["table"] == 2


def test_the_table_of_the_supervision_says_what_the_actions_mean(page: Page) -> None:
    weighting, supervision = page.tables[1:]
    assert weighting[2][:4] == ["1", "0.250", "-0.500", "-0.125"]
    # (1 + a) / 2; usual + a (most - usual) above 0, usual + a usual below
    assert supervision == [
        ["stage", "teacher's place", "weight of ce", "weight of kd", "weight of cc", "weight of other"],
        ["1", "0.25", "0.10", "1.80", "0.0020", "0.00"],
        ["2", "0.75", "0.05", "0.45", "0.0300", "0.50"],
    ]


def test_the_plots_are_told_in_words(page: Page) -> None:
    labels = " ".join(page.values("aria-label"))
    assert "0.25 in stage 1, 0.75 in stage 2, 0.25 at the lowest." in labels
    assert "in stages 1 and 2: ce 0.10 and 0.05, usually 0.10; kd 1.80 and 0.45, usually 0.90; cc" in labels


def test_each_term_has_a_panel_up_to_the_most_it_can_be(page: Page) -> None:
    words = set(re.split(r"\s*\n\s*", page.text))
    for title in ("ce, usually 0.10", "kd, usually 0.90", "cc, usually 0.0020", "other, usually 0.00"):
        assert title in words
    assert {"1.8", "0.03", "0.015"} <= words
    assert "kd: how far the answer is from the teacher's" in page.text and "other:" not in page.text


def test_the_twin_is_the_one_of_these_heads(page: Page) -> None:
    twin = "equal sample weights, the converged teacher and the usual loss weights"
    assert f"better it ended than its twin, the same training with {twin}, on validation data" in page.text
    assert f"stages of warm-up, with {twin}, have no action" in page.text
    assert "for distillation from the converged teacher, +19.6 points" in page.text


def test_stages_are_whole_numbers_also_where_there_is_one(tmp_path: Path) -> None:
    page = report(tmp_path, TeacherAnchor(), ((0.5,),))
    words = re.split(r"\s*\n\s*", page.text)
    assert "1" in words and not {"0.8", "1.0", "1.2"} & set(words)


def test_without_known_actions_the_sections_say_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", evaluated=True, action=ALL, actions=ROWS)
    stages = run / "stages.csv"
    stages.write_text("\n".join(stages.read_text(encoding="utf-8").splitlines()[:2]) + "\n", encoding="utf-8")
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert page.text.count("No stage of this schedule has a known action.") == 3
    assert page.tags["svg"] == 2
