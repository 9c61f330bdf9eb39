"""The report of aligned scores: its numbers are those of the evaluation, its page is sound."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from law_rl.counters import numpy_generator, torch_generator
from law_rl.face.evaluation.bootstrap import bootstrap_difference, tar_at
from law_rl.face.evaluation.pairs import PairScores, pair_scores
from law_rl.face.ida.neighbourhoods import KINDS, Neighbourhoods, kind_rates, neighbourhoods, threshold_at
from law_rl.report.alignment_page import write_alignment_report
from tests.law_rl.report.runs import NASTY, Page

PERSONS = torch.arange(60) // 4
FACES = torch.randn(15, 8, generator=torch_generator(0, "centres"))[PERSONS] + 0.5 * torch.randn(
    60, 8, generator=torch_generator(0, "faces")
)
BEFORE = pair_scores(FACES, PERSONS)
AFTER = replace(BEFORE, genuine=30 * BEFORE.genuine + 5, impostor=20 * BEFORE.impostor)
"""Scores that are no cosines."""


def places() -> Neighbourhoods:
    first, second = np.triu_indices(60, 1)
    persons = PERSONS.numpy()
    means = numpy_generator(0, "test means").normal(size=60)
    return neighbourhoods(means, np.stack([first, second], 1), persons[first] == persons[second])


def write(path: Path, systems: dict[str, PairScores], at: float = 0.05) -> Page:
    write_alignment_report(path, NASTY, systems, places(), fars=(0.01, 0.1), at=at, replicates=20, seed=1)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return write(tmp_path_factory.mktemp("page") / "new" / "report.html", {"cosine": BEFORE, NASTY: AFTER})


def test_rates_and_differences_are_those_of_a_face_report(page: Page) -> None:
    gain = bootstrap_difference(AFTER, BEFORE, tar_at(0.01), replicates=20, seed=1)
    assert [row[0] for row in page.tables[0]] == ["system", "cosine", NASTY]
    assert page.tables[1][1][:2] == [NASTY, f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"]
    assert len(page.tables) == 3


def test_each_kind_has_its_rates_at_one_threshold(page: Page) -> None:
    header, *rows = page.tables[2]
    rest = ["FAR, %", "TAR, %"]
    assert header[3:] == ["cosine: mean of impostors", *rest, f"{NASTY}: mean of impostors", *rest]
    found = places()
    rates = [kind_rates(scores, found, threshold_at(scores, 0.05)) for scores in (BEFORE, AFTER)]
    for kind, (name, images, span, *cells) in enumerate(rows):
        assert (name, images) == (KINDS[kind], "20")
        assert span == f"{found.spans[kind][0]:.3f} to {found.spans[kind][1]:.3f}"
        each = [part[kind] for part in rates]
        expected = [(f"{one.impostor:.3f}", f"{100 * one.far:.2f}", f"{100 * one.tar:.2f}") for one in each]
        assert cells == [*expected[0], *expected[1]]


def test_nothing_becomes_markup_and_every_plot_has_words(page: Page) -> None:
    assert page.tags["script"] == 0 and page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"] == 3
    assert all(len(label) > 40 for label in page.values("aria-label"))
    references = [*page.values("href"), *page.values("xlink:href"), *page.values("src")]
    assert references and all(reference.startswith("#") for reference in references)
    assert "threshold" in page.text


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, {"cosine": BEFORE, "after": AFTER})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert len((tmp_path / "one").read_bytes()) < 300_000


def test_scores_without_a_threshold_or_without_spread_are_drawn(tmp_path: Path) -> None:
    hopeless = replace(BEFORE, genuine=np.full_like(BEFORE.genuine, -1), impostor=np.zeros_like(BEFORE.impostor))
    constant = replace(hopeless, genuine=np.zeros_like(BEFORE.genuine))
    assert threshold_at(hopeless, 0.05) == math.inf
    page = write(tmp_path / "page", {"hopeless": hopeless, "constant": constant})
    assert page.tables[2][1][4:6] == ["0.00", "0.00"]


def test_no_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 systems and 2 false accept rates: give at least one of each"):
        write(tmp_path / "page", {})
