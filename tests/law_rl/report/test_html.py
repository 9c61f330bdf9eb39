from collections import Counter
from pathlib import Path

import pytest

from law_rl.report.html import write_report
from law_rl.report.plots import confirmed
from law_rl.report.run_directory import EpisodeRow
from law_rl.schedule import ScheduleError
from tests.law_rl.report.runs import HEAD, NASTY, Page, make_run


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
        "Learned curriculum: 91.6 % against 72.0 % for ordinary training, +19.6 points (95 % interval 17.8 to 21.4) "
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
    assert "+8.5 points over ordinary training (95 % interval 8.0 to 9.0)" in stopped_page.text
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
