"""The benchmark of alignment at a tiny size: what it writes, and that its check can fail."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.alignment_cost import LEARNED, PLAIN, Options, Vectors, largest_error, main, verdict
from law_rl.face.ida.aligner import METHODS, ScoreAligner
from law_rl.face.ida.statistics import NeighbourStatistics

SIZES = {"gallery": 700, "probes": 20, "candidates": 320, "width": 16, "threads": 1, "rounds": 1, "checked": 50}


def test_a_tiny_run_writes_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    main([*(f"--{name}={value}" for name, value in SIZES.items()), f"--out={tmp_path}"])
    result = json.loads((tmp_path / "alignment_cost.json").read_text())
    assert set(result["seconds"]) == {PLAIN, *METHODS, LEARNED} and min(result["seconds"].values()) > 0
    assert max(result["errors"].values()) < 1e-3
    assert "20 probes x 700 faces" in (tmp_path / "alignment_cost.md").read_text()
    assert "the limit" not in capsys.readouterr().out  # it is for the full size
    assert torch.get_num_threads() == threads


def test_scores_that_are_wrong_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = Vectors.drawn(Options(**SIZES))
    aligner = ScoreAligner().fit(vectors.candidates)
    assert largest_error(vectors, aligner, 50) < 1e-5
    monkeypatch.setattr(
        NeighbourStatistics, "as_column", lambda self: self.at(torch.arange(len(self)).flip(0)[:, None])
    )
    assert largest_error(vectors, aligner, 50) > 1e-3


def test_the_verdict_names_what_was_asked() -> None:
    assert verdict(1.1).endswith(
        "takes 1.10 times the time of the cosine: within the limit of 1.5, and within the aim of 1.2."
    )
    assert "within the limit" in verdict(1.3) and "above the aim" in verdict(1.3)
    assert "NOT within the limit" in verdict(1.6)
