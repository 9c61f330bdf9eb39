"""The face report: its numbers are those of the evaluation, its page is sound."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from law_rl.counters import torch_generator
from law_rl.face.evaluation.bootstrap import bootstrap_difference, bootstrap_interval, tar_at
from law_rl.face.evaluation.folds import FoldAccuracy
from law_rl.face.evaluation.pairs import PairScores, pair_scores
from law_rl.face.evaluation.rates import Roc
from law_rl.report.face_page import write_face_report
from tests.law_rl.report.runs import NASTY, Page

FOLDS = np.array([0.9, 0.95])
ACCURACY = FoldAccuracy(rule="facex_zoo", mean=0.925, std=0.025, folds=FOLDS, thresholds=FOLDS)


def scored(spread: float, persons: int = 20) -> PairScores:
    generator = torch_generator(0, "faces", int(10 * spread))
    identities = torch.arange(4 * persons) // 4
    centres = torch.randn(persons, 8, generator=torch_generator(0, "centres"))
    return pair_scores(centres[identities] + spread * torch.randn(len(identities), 8, generator=generator), identities)


SYSTEMS = {"student": scored(0.9), NASTY: scored(0.4)}


def write(path: Path, systems: Mapping[str, PairScores], folds: tuple[tuple[str, FoldAccuracy], ...] = ()) -> Page:
    write_face_report(path, NASTY, systems, folds=folds, fars=(0.01, 0.1), replicates=20, seed=1)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return write(tmp_path_factory.mktemp("face") / "new" / "report.html", SYSTEMS, (("student", ACCURACY),))


def test_the_tables_say_what_the_evaluation_says(page: Page) -> None:
    statistics = (tar_at(0.01), tar_at(0.1), Roc.equal_error_rate)
    header, *rows = page.tables[0]
    assert header == ["system", "TAR at FAR 0.01, %", "TAR at FAR 0.1, %", "EER, %"]
    for (name, *cells), (system, scores) in zip(rows, SYSTEMS.items(), strict=True):
        intervals = [bootstrap_interval(scores, each, replicates=20, seed=1) for each in statistics]
        assert (name, cells) == (system, [str(interval) for interval in intervals])
    first, second = SYSTEMS.values()
    header, (name, *cells) = page.tables[1]
    gains = [bootstrap_difference(second, first, each, replicates=20, seed=1) for each in statistics]
    assert name == NASTY and header[1] == "TAR at FAR 0.01, points"
    assert cells == [f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]" for gain in gains]


def test_pairs_are_counted_and_folds_shown(page: Page) -> None:
    scores = SYSTEMS["student"]
    means = f"{scores.genuine.mean():.3f}", f"{scores.impostor.mean():.3f}"
    assert page.tables[2][1] == ["student", "20", "120", means[0], "3,040", means[1]]
    assert page.tables[3][1:] == [["student", "FaceX-Zoo", "92.50", "2.50", "90.00 to 95.00", "2"]]


def test_nothing_in_the_inputs_becomes_markup_and_nothing_is_fetched(page: Page) -> None:
    assert page.tags["script"] == 0
    assert page.text.count(NASTY) >= 5  # title, heading, outcome, tables, plots
    references = [*page.values("href"), *page.values("xlink:href"), *page.values("src")]
    assert references and all(reference.startswith("#") for reference in references)
    assert not any(page.tags[tag] for tag in ("link", "img", "image", "iframe"))


def test_every_plot_has_words_beside_it(page: Page) -> None:
    assert page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"] == 3
    assert all(len(label) > 40 for label in page.values("aria-label"))


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, SYSTEMS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert len((tmp_path / "one").read_bytes()) < 300_000


def test_systems_that_cannot_be_compared_have_no_differences(tmp_path: Path) -> None:
    alone = write(tmp_path / "alone", {"student": SYSTEMS["student"]})
    apart = write(tmp_path / "apart", {"student": SYSTEMS["student"], "other": scored(0.9, persons=9)})
    assert len(alone.tables) == len(apart.tables) == 2
    assert "Differences" not in alone.text + apart.text


def test_perfect_and_hopeless_scores_are_drawn(tmp_path: Path) -> None:
    identities = torch.arange(12) // 2
    perfect = pair_scores(torch.eye(6)[identities], identities)
    write(tmp_path / "page", {"perfect": perfect, "constant": pair_scores(torch.ones(12, 3), identities)})


def test_no_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 systems and 2 false accept rates: give at least one of each"):
        write(tmp_path / "page", {})
